"""Every model by itself: its figures, the ASR's interval, and what the paper prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from abd.config.cells import TEACHER_PARTS
from abd.report.cells import Figures, Measured
from abd.report.groups import PARTS, Group, make_groups, name_of, part, shown_parts
from abd.report.interval import wilson
from abd.report.paper import Paper, Reference
from abd.report.table import TITLES, percent

TEACHER = "teacher"


@dataclass(frozen=True)
class Line:
    """One model: texts in percent, "" where there is nothing to say.

    `keys` says which group it belongs to, in the order of the titles of keys, `name` the
    same in one line; differences are ours minus the paper's, in points.
    """

    name: str
    keys: tuple[str, ...]
    model: str
    acc: str
    acc_paper: str
    acc_difference: str
    asr: str
    interval: str
    asr_paper: str
    asr_difference: str
    marks: str

    def entries(self, *, with_paper: bool) -> list[str]:
        """The texts after the keys, in the order of the header."""
        if not with_paper:
            return [self.model, self.acc, self.asr, self.interval]
        return [
            " ".join(filter(None, (self.model, self.marks))),
            *(self.acc, self.acc_paper, self.acc_difference),
            *(self.asr, self.interval, self.asr_paper, self.asr_difference),
        ]


@dataclass(frozen=True)
class Detail:
    """A line per model, and the notes that their marks number, from 1."""

    keys: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def with_paper(self) -> bool:
        """Whether the paper prints anything about one of the models."""
        return any(line.acc_paper for line in self.lines)

    def header(self) -> list[str]:
        """The titles of all columns."""
        beside = ["paper", "diff."] if self.with_paper else []
        acc, asr = ["Acc", *beside], ["ASR", "95 % interval", *beside]
        return [*self.keys, "model", *acc, *asr]

    def rows(self) -> list[list[str]]:
        """The lines as text, in the order of the header."""
        return [[*x.keys, *x.entries(with_paper=self.with_paper)] for x in self.lines]


def make_detail(cells: Sequence[Measured], paper: Paper, item: str | None) -> Detail:
    """Make a line of each teacher and of each group's students of one defense.

    `item` is the item of the paper that the experiment reproduces.
    """
    shown = shown_parts([m.cell for m in cells])
    notes: list[str] = []
    lines = []
    for group, model, figures, reference in _models(cells, paper, item):
        own = reference.notes if reference else []
        notes += [note for note in own if note not in notes]
        marks = " ".join(f"[{notes.index(note) + 1}]" for note in own)
        parts = [p for p in shown if model != TEACHER or p in TEACHER_PARTS]
        keys = tuple(part(group.cell, p) if p in parts else "" for p in shown)
        name = name_of(group.cell, shown)
        lines.append(_line(name, keys, model, figures, reference, marks))
    return Detail(tuple(PARTS[p][0] for p in shown), tuple(lines), tuple(notes))


def _models(
    cells: Sequence[Measured], paper: Paper, item: str | None
) -> Iterator[tuple[Group, str, list[Figures], Reference | None]]:
    """Every model with its figures, one per seed: each teacher before its students."""
    groups: dict[str, list[Group]] = {}
    for group in make_groups(cells):
        groups.setdefault(group.cell.teacher_key, []).append(group)
    for of_teacher in groups.values():
        first = of_teacher[0]
        yield first, TEACHER, [first.members[0].teacher], paper.teacher(first.cell, item)
        for group in of_teacher:
            for defense, title in TITLES.items():
                if members := group.of(defense):
                    reference = paper.student(members[0].cell, item)
                    yield group, title, [m.student for m in members], reference


def _line(
    name: str,
    keys: tuple[str, ...],
    model: str,
    figures: list[Figures],
    reference: Reference | None,
    marks: str,
) -> Line:
    acc, asr = [f.acc for f in figures], [f.asr for f in figures]
    low, high = wilson(sum(f.n_target for f in figures), sum(f.n_stamped for f in figures))
    printed = reference and reference.printed
    return Line(
        name=name,
        keys=keys,
        model=model,
        acc=percent(acc),
        acc_paper=percent([printed.acc]) if printed else "",
        acc_difference=_points(mean(acc) - printed.acc) if printed else "",
        asr=percent(asr),
        interval=f"{100 * low:.1f}–{100 * high:.1f}",
        asr_paper=percent([printed.asr]) if printed else "",
        asr_difference=_points(mean(asr) - printed.asr) if printed else "",
        marks=marks,
    )


def _points(difference: float) -> str:
    """A difference of fractions in points, never "-0.0"."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "−")
