"""Timing of two ways to do the same thing, turn by turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.sides import Side, Step

N_TURNS = 7
GIB = 2**30


@dataclass(frozen=True)
class Figure:
    """One record of `reports/bench.json`.

    value: seconds of ours; peer: what it is compared with, and its seconds; ratio: ours /
    peer; aim: what the ratio should be at most. notes: what else was seen.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float
    aim: float
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turns:
    """What the turns of two sides took, in seconds, what they gave, and our memory."""

    ours: list[float]
    theirs: list[float]
    values: list[tuple[Any, Any]]
    peak_bytes: int

    def figure(self, name: str, peer: str, aim: float, **notes: Any) -> Figure:
        """The medians, and the median of the turns' ratios."""
        mine, other = statistics.median(self.ours), statistics.median(self.theirs)
        pairs = zip(self.ours, self.theirs, strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        notes["peak_gib"] = self.peak_bytes / GIB
        return Figure(name, mine, "s", peer, other, ratio, aim, notes)


def take_turns(
    ours: Callable[[], Step], theirs: Callable[[], Step], n_turns: int = N_TURNS
) -> Turns:
    """Let both sides take a step to warm up, and then `n_turns` in turn."""
    with Side(ours) as mine, Side(theirs) as other:
        values = [(mine.step()[1], other.step()[1])]
        seconds = []
        for _ in range(n_turns):
            (took, value), (peer_took, peer_value) = mine.step(), other.step()
            seconds.append((took, peer_took))
            values.append((value, peer_value))
        peak = mine.peak_bytes()
    ours_took, theirs_took = (list(column) for column in zip(*seconds, strict=True))
    return Turns(ours_took, theirs_took, values, peak)
