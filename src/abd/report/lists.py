"""The students that a report lists below its table, with what is said of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from abd.config import Plan
from abd.config.cells import Cell
from abd.report.cells import Results
from abd.report.curves import FEW_CLASSES
from abd.report.groups import name_of, shown_parts
from abd.report.stale import stale_cells
from abd.report.table import TITLES
from abd.storage.results import last_value


@dataclass(frozen=True)
class CellList:
    """Students of which the same is said: a word, what it says of them, a line for each.

    Those that differ in their seeds alone share a line.
    """

    word: str
    text: str
    lines: list[str]


def cell_lists(plan: Plan, results: Results) -> list[CellList]:
    """The lists that a report of these results has; none where all is there and current."""
    everyone = [*(m.cell for m in results.cells), *results.missing]
    missing = [(cell, "") for cell in results.missing]
    stale = stale_cells(plan, (m.cell for m in results.cells))
    one_class = [
        (m.cell, f"{n:.1f} of {plan.settings[m.cell.dataset].fetch.n_classes}")
        for m in results.cells
        if (n := last_value(m.curve, "classes")) is not None and n <= FEW_CLASSES
    ]
    lists = []
    for word, what, said in (
        ("Missing", "have not run", missing),
        ("Stale", "are not of the params, code and results that are here now", stale),
        (
            "One class",
            "learned at the end from images that are nearly all of one class to the "
            "teacher (effective number of classes)",
            one_class,
        ),
    ):
        if said:
            text = f"{len(said)} of {len(everyone)} students {what}"
            lists.append(CellList(word, text, _lines(everyone, said)))
    return lists


def _lines(everyone: Iterable[Cell], said: Iterable[tuple[Cell, str]]) -> list[str]:
    shown = shown_parts([*everyone])
    seeds: dict[tuple[Cell, str], list[int]] = {}
    for cell, why in said:
        seeds.setdefault((replace(cell, seed=0), why), []).append(cell.seed)
    return [
        f"{name_of(cell, shown)}: {TITLES[cell.defense]}, {_seeds(own)}"
        + (f": {why}" if why else "")
        for (cell, why), own in seeds.items()
    ]


def _seeds(seeds: list[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
