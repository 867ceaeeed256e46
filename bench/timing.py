"""Timing of two ways to do the same thing, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

N_REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """One record of `reports/bench.json`.

    value: seconds of ours; peer: what it is compared with; ratio: ours / peer.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float

    def record(self, machine: str) -> dict[str, Any]:
        """The figure with the machine it was measured on."""
        return {**asdict(self), "machine": machine}


def compare(
    name: str,
    ours: Callable[[], object],
    peer: str,
    theirs: Callable[[], object],
    n_repeats: int = N_REPEATS,
) -> Figure:
    """Time both in turn, after one warm-up each; the median of several turns."""
    ours()
    theirs()
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(n_repeats)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Figure(name, mine, "s", peer, other, ratio)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
