"""A point of a run's history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """Named values at a step: rounds done in distillation, epochs in training."""

    step: int
    values: dict[str, float]
