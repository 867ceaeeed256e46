"""The table of an experiment: a row per group of cells, a column per defense."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Protocol

from abd.config.cells import GUARDS, Cell
from abd.report.cells import Measured
from abd.report.decision import ENDS
from abd.report.groups import PARTS, Group, make_groups, name_of, part, shown_parts

TITLES = {
    "none": "no defense",
    "sv": "SV",
    "sr": "SR",
    "sv_sr": "SV + SR",
    "abd": "ABD",
}
MISSING = "missing"


@dataclass(frozen=True)
class Row:
    """One line of the table; every entry is "Acc / ASR" in percent, "" where absent.

    "missing" stands where the experiment has students, and none of them has run.
    `keys` says what the row is of, in the order of the table's titles of keys; `name`
    says the same in one line.
    """

    name: str
    keys: tuple[str, ...]
    teacher: str
    students: tuple[str, ...]
    vaccine: str


@dataclass(frozen=True)
class Table:
    """Rows, the titles of their keys, and the defenses whose columns they have.

    `common` says what all rows share, and therefore none shows.
    """

    keys: tuple[str, ...]
    defenses: tuple[str, ...]
    rows: tuple[Row, ...]
    common: str

    def header(self) -> list[str]:
        """The titles of all columns."""
        vaccine = ["vaccine"] if self._searched else []
        return [*self.keys, "teacher", *(TITLES[d] for d in self.defenses), *vaccine]

    def lines(self) -> list[list[str]]:
        """The rows as text, in the order of the header."""
        return [
            [*r.keys, r.teacher, *r.students, *([r.vaccine] if self._searched else [])]
            for r in self.rows
        ]

    @property
    def _searched(self) -> bool:
        return any(r.vaccine for r in self.rows)


def make_table(cells: Sequence[Measured], missing: Sequence[Cell] = ()) -> Table:
    """Make a row of each group; several seeds give mean ± standard deviation.

    `missing` are the experiment's other cells, which have not run.
    """
    groups = make_groups(cells)
    present = {cell.defense for cell in (*(m.cell for m in cells), *missing)}
    defenses = tuple(d for d in GUARDS if d in present)
    shown = shown_parts([m.cell for m in cells])
    hidden = tuple(p for p in PARTS if p not in shown)
    titles = tuple(PARTS[p][0] for p in shown)
    common = [name_of(cells[0].cell, hidden)]
    counts = {g.n_seeds for g in groups}
    if len(counts) == 1:
        common.append(_seeds(groups[0]))
    else:
        titles += ("seeds",)
    rows = []
    for group in groups:
        keys = tuple(part(group.cell, p) for p in shown)
        name = name_of(group.cell, shown)
        if len(counts) > 1:
            keys += (group.n_seeds,)
            name += f", {_seeds(group)}"
        lacking = {cell.defense for cell in missing if group.has(cell)}
        rows.append(_row(group, name, keys, defenses, lacking))
    return Table(titles, defenses, tuple(rows), ", ".join(filter(None, common)))


def _seeds(group: Group) -> str:
    return f"{group.n_seeds} seed{'' if group.n_seeds == '1' else 's'}"


def _row(
    group: Group,
    name: str,
    keys: tuple[str, ...],
    defenses: tuple[str, ...],
    lacking: set[str],
) -> Row:
    return Row(
        name=name,
        keys=keys,
        teacher=pair([group.members[0].teacher]),
        students=tuple(
            pair([m.student for m in group.of(d)]) or (MISSING if d in lacking else "")
            for d in defenses
        ),
        vaccine=_vaccine(group.members),
    )


def _vaccine(members: Iterable[Measured]) -> str:
    """What the search found, and what became of it; of several seeds, for how many."""
    searched = [m for m in members if m.vaccine is not None]
    if not searched:
        return ""
    (first, *others) = searched
    if not others:
        assert first.vaccine is not None
        decided = first.decision.text if first.decision else ""
        return "; ".join(filter(None, (first.vaccine.text, decided)))
    found = sum(m.vaccine is not None and m.vaccine.found for m in searched)
    parts = [f"found for {found} of {len(searched)} seeds"]
    after = [m.decision.outcome for m in searched if m.decision and m.decision.found]
    for outcome in ("sv_sr", "sr"):
        if n := after.count(outcome):
            parts.append(f"{ENDS[outcome]} for {n}")
    return ", ".join(parts)


class Counted(Protocol):
    """What has an Acc and an ASR, fractions."""

    @property
    def acc(self) -> float: ...  # noqa: D102

    @property
    def asr(self) -> float: ...  # noqa: D102


def pair(figures: Sequence[Counted]) -> str:
    """Say Acc / ASR in percent: "" of none, of several mean ± standard deviation."""
    if not figures:
        return ""
    return f"{percent([f.acc for f in figures])} / {percent([f.asr for f in figures])}"


def percent(fractions: Sequence[float]) -> str:
    """Fractions in percent; of several, mean ± standard deviation."""
    values = [100 * fraction for fraction in fractions]
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    rows = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
