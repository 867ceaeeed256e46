"""The student that the rule of `abd` ends with, beside those an oracle would have taken.

The oracle sees the labelled test images and the trigger, and takes what has the largest
Acc - ASR: of the students of all defenses as they end, or as they were at any look of the
monitor. It looks at the very images that it is then measured on, so it is a bound, not a
method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from abd.report.cells import Figures, Measured
from abd.report.groups import PARTS, Group, make_groups, part, shown_parts
from abd.report.table import TITLES, pair, percent

RULE = "abd"
TITLE = "The price of not knowing"
NOTE = (
    "Beside ABD, which decides without the trigger, what an oracle would have taken: one "
    "that sees the stamped test images, and takes the largest Acc - ASR among all defenses "
    "as they end, or among all of them at any look of the monitor. Price: how much larger "
    "that difference is than the rule's, in points. The oracle is measured on the images "
    "that it chose by; it bounds what a better rule could give."
)


@dataclass(frozen=True)
class Choice:
    """A student at a moment: None for its end, else the round; Acc and ASR, fractions."""

    defense: str
    step: int | None
    acc: float
    asr: float

    @property
    def gain(self) -> float:
        """What the oracle goes by: Acc - ASR."""
        return self.acc - self.asr


@dataclass(frozen=True)
class Prices:
    """A row per group that has a student by the rule and others to take instead."""

    keys: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def header(self) -> list[str]:
        """The titles of all columns."""
        return [
            *self.keys,
            "by the rule",
            *("best defense", "which", "price"),
            *("best moment", "which", "price"),
        ]


def make_prices(cells: Sequence[Measured]) -> Prices:
    """Compare the rule with both oracles; of several seeds mean ± standard deviation."""
    shown = shown_parts([m.cell for m in cells])
    rows = []
    for group in make_groups(cells):
        chosen = list(_chosen(group))
        if not chosen:
            continue
        rule, ends, moments = (list(column) for column in zip(*chosen, strict=True))
        rows.append(
            (
                *(part(group.cell, p) for p in shown),
                pair(rule),
                *(pair(ends), _which(ends), _price(rule, ends)),
                *(pair(moments), _which(moments), _price(rule, moments)),
            )
        )
    return Prices(tuple(PARTS[p][0] for p in shown), tuple(rows))


def _chosen(group: Group) -> Iterator[tuple[Choice, Choice, Choice]]:
    """By seed: the rule's student, the best of all ends, the best of all moments."""
    for ruled in group.of(RULE):
        same = [m for m in group.members if m.cell.seed == ruled.cell.seed]
        if len(same) == 1:
            continue
        ends = [_end(m.cell.defense, m.student) for m in same]
        looks = [look for m in same for look in _looks(m)]
        # Of those that are as good the rule's: where no vaccine was found it is SR's.
        best = max(ends, key=lambda choice: (choice.gain, choice.defense == RULE))
        yield (
            _end(RULE, ruled.student),
            best,
            max([best, *looks], key=lambda choice: choice.gain),
        )


def _end(defense: str, student: Figures) -> Choice:
    return Choice(defense, None, student.acc, student.asr)


def _looks(m: Measured) -> Iterator[Choice]:
    for point in m.curve:
        if "acc" in point:
            yield Choice(m.cell.defense, int(point["step"]), point["acc"], point["asr"])


def _which(choices: Sequence[Choice]) -> str:
    """What was taken; of several seeds, how often."""
    if len(choices) == 1:
        (choice,) = choices
        at = "" if choice.step is None else f", round {choice.step}"
        return f"{TITLES[choice.defense]}{at}"
    counts = Counter(TITLES[choice.defense] for choice in choices)
    return ", ".join(f"{title} for {n}" for title, n in counts.most_common())


def _price(rule: Sequence[Choice], best: Sequence[Choice]) -> str:
    return percent([b.gain - r.gain for r, b in zip(rule, best, strict=True)])
