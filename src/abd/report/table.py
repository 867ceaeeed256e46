"""The table of an experiment: a row per teacher and source, a column per defense."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean, stdev

from abd.config.cells import GUARDS
from abd.report.cells import Measured

TITLES = {
    "none": "no defense",
    "sv": "SV",
    "sr": "SR",
    "sv_sr": "SV + SR",
    "abd": "ABD",
}


@dataclass(frozen=True)
class Row:
    """One line of the table; every entry is "Acc / ASR" in percent, "" where absent."""

    dataset: str
    trigger: str
    source: str
    student: str
    n_seeds: int
    teacher: str
    students: tuple[str, ...]
    vaccine: str


@dataclass(frozen=True)
class Table:
    """Rows, and the defenses whose columns they have."""

    defenses: tuple[str, ...]
    rows: tuple[Row, ...]

    def header(self) -> list[str]:
        """The titles of all columns."""
        return [
            "trigger",
            "source",
            "teacher",
            *(TITLES[defense] for defense in self.defenses),
            "vaccine",
        ]

    def lines(self) -> list[list[str]]:
        """The rows as text, in the order of the header."""
        return [[r.trigger, r.source, r.teacher, *r.students, r.vaccine] for r in self.rows]


def make_table(cells: Iterable[Measured]) -> Table:
    """Group cells into rows; several seeds give mean ± standard deviation."""
    groups: dict[tuple[str, ...], list[Measured]] = {}
    for m in cells:
        c = m.cell
        key = (c.dataset, c.trigger, c.teacher, str(c.teacher_seed), c.source, c.student)
        groups.setdefault(key, []).append(m)
    present = {m.cell.defense for members in groups.values() for m in members}
    defenses = tuple(d for d in GUARDS if d in present)
    return Table(defenses, tuple(_row(members, defenses) for members in groups.values()))


def _row(members: list[Measured], defenses: tuple[str, ...]) -> Row:
    first = members[0]
    by_defense = {d: [m for m in members if m.cell.defense == d] for d in defenses}
    verdicts = [m.vaccine for m in members if m.vaccine is not None]
    vaccine = verdicts[0].text if len(verdicts) == 1 else ""
    if len(verdicts) > 1:
        vaccine = f"found for {sum(v.found for v in verdicts)} of {len(verdicts)} seeds"
    return Row(
        dataset=first.cell.dataset,
        trigger=first.cell.trigger,
        source=first.cell.source,
        student=first.cell.student,
        n_seeds=len({m.cell.seed for m in members}),
        teacher=_pair([first], lambda m: m.teacher_acc, lambda m: m.teacher_asr),
        students=tuple(
            _pair(by_defense[d], lambda m: m.acc, lambda m: m.asr) for d in defenses
        ),
        vaccine=vaccine,
    )


def _pair(
    members: list[Measured],
    acc: Callable[[Measured], float],
    asr: Callable[[Measured], float],
) -> str:
    if not members:
        return ""
    return f"{_percent(map(acc, members))} / {_percent(map(asr, members))}"


def _percent(fractions: Iterable[float]) -> str:
    values = [100 * fraction for fraction in fractions]
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def markdown(table: Table) -> str:
    """The table as Markdown."""
    lines = [table.header(), ["---"] * len(table.header()), *table.lines()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
