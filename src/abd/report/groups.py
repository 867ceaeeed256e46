"""Which cells belong together in a report, and what a group of them is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from abd.config.cells import Cell
from abd.report.cells import Measured

# What tells groups apart: the title of its column, and how a name says it.
PARTS = {
    "dataset": ("data set", "{}"),
    "trigger": ("trigger", "{}"),
    "teacher": ("teacher net", "teacher {}"),
    "teacher_seed": ("teacher seed", "teacher seed {}"),
    "source": ("source", "{}"),
    "student": ("student net", "student {}"),
}
NAMED_ALWAYS = ("trigger", "source")


@dataclass(frozen=True)
class Group:
    """Cells that differ in defense and seed alone: a row of the table, a panel of curves.

    `name` says what tells it from the experiment's other groups.
    """

    name: str
    members: tuple[Measured, ...]

    @property
    def cell(self) -> Cell:
        """One of the cells, for what they have in common."""
        return self.members[0].cell

    def of(self, defense: str) -> list[Measured]:
        """The members of a defense: one per seed."""
        return [m for m in self.members if m.cell.defense == defense]

    def has(self, cell: Cell) -> bool:
        """Whether a cell belongs to this group."""
        return all(part(self.cell, p) == part(cell, p) for p in PARTS)

    @property
    def n_seeds(self) -> str:
        """How many seeds each defense has: "3", or "1-3" where they differ."""
        counts = {len(self.of(m.cell.defense)) for m in self.members}
        return "-".join(map(str, sorted({min(counts), max(counts)})))


def make_groups(cells: Sequence[Measured]) -> list[Group]:
    """Group cells, in the order of the experiment's grids."""
    groups: dict[tuple[str, ...], list[Measured]] = {}
    for m in cells:
        groups.setdefault(tuple(part(m.cell, p) for p in PARTS), []).append(m)
    named = varying([m.cell for m in cells]) or ("trigger", "source")
    return [
        Group(name_of(members[0].cell, named), tuple(members))
        for members in groups.values()
    ]


def varying(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The parts that are not the same in all cells."""
    return tuple(p for p in PARTS if len({part(cell, p) for cell in cells}) > 1)


def shown_parts(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The parts that tables name: those that vary, trigger and source always."""
    varied = varying(cells)
    return tuple(p for p in PARTS if p in varied or p in NAMED_ALWAYS)


def name_of(cell: Cell, parts: Sequence[str]) -> str:
    """Name a cell by some of its parts."""
    return ", ".join(PARTS[p][1].format(part(cell, p)) for p in parts)


def part(cell: Cell, name: str) -> str:
    """A part of a cell, as text."""
    return str(getattr(cell, name))
