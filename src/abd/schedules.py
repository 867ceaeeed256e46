"""Learning-rate schedules as functions of the position, so that they have no state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """Return `lr` everywhere."""
    return lambda position: lr


def cosine(lr: float, length: int) -> Schedule:
    """Fall from `lr` at 0 to 0 at `length` along half a cosine (section 0)."""
    return lambda position: lr * (1 + math.cos(math.pi * position / length)) / 2


def steps(lr: float, milestones: Sequence[float], gamma: float) -> Schedule:
    """Multiply `lr` by `gamma` at each milestone that has been reached."""
    return lambda position: lr * gamma ** sum(position >= m for m in milestones)
