"""What a report of a partly finished experiment lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from abd.config.cells import Cell
from abd.report.cells import Results
from abd.report.groups import name_of, shown_parts
from abd.report.table import TITLES


def missing_cells(results: Results) -> list[str]:
    """Name the cells that have not run, those that differ in their seeds in one line."""
    shown = shown_parts([*(m.cell for m in results.cells), *results.missing])
    return [
        f"{name_of(cell, shown)}: {TITLES[cell.defense]}, {_seeds(seeds)}"
        for cell, seeds in _by_seeds(results.missing).items()
    ]


def count(results: Results) -> str:
    """How many cells of all have not run."""
    n_missing = len(results.missing)
    return f"{n_missing} of {len(results.cells) + n_missing}"


def _by_seeds(cells: Sequence[Cell]) -> dict[Cell, list[int]]:
    """The seeds of cells that are the same otherwise."""
    seeds: dict[Cell, list[int]] = {}
    for cell in cells:
        seeds.setdefault(replace(cell, seed=0), []).append(cell.seed)
    return seeds


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
