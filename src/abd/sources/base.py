"""The contract of a surrogate source: where a distillation's batches come from.

A run is a row of *rounds*. In a round a source may synthesise, and then shows the
student some batches: one in OOD and clean distillation, one batch ten times in ZSKT,
none in the synthesis round of CMI. The distillation loop knows no source by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from abd.optim import OptimizerSpec
from abd.pixels import Normalization
from abd.state import State
from abd.vaccine import ShuffledTeacher


@dataclass(frozen=True, eq=False)
class Batch:
    """What the student is shown.

    x: (B, 3, H, W) normalised input, detached. teacher_logits: (B, K), detached.
    weights: (B,) loss weight per sample, the vaccine's; None for 1. labels: (B,) where
    the source has them. pixels: (B, 3, H, W) uint8 where `x` was made from pixels.
    repeats: how often the student takes a step on this batch.
    """

    x: Tensor
    teacher_logits: Tensor
    weights: Tensor | None = None
    labels: Tensor | None = None
    pixels: Tensor | None = None
    repeats: int = 1


@dataclass(frozen=True, eq=False)
class Context:
    """What every source is built with, besides its own settings and its pool.

    teacher: frozen, in eval mode, on `device`, for images of `size` x `size` pixels and
    `n_classes` classes. seed: of all the source's streams.
    rounds: the length of a whole run, which schedules count on. vaccine: None for plain
    distillation; suspicious_weight: the loss weight of samples that it flags
    (section 6.4).
    """

    teacher: nn.Module
    normalize: Normalization
    device: torch.device
    size: int
    n_classes: int
    seed: int
    rounds: int
    vaccine: ShuffledTeacher | None = None
    suspicious_weight: float = 1.0


class Source(Protocol):
    """Produces batches, and defines the distillation loss on them.

    `optimizer`: the student's. `batches` must depend on nothing but the streams of its
    round, the student and the source's own state, so that a run can go on anywhere.
    """

    optimizer: OptimizerSpec

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Yield the batches of round `index`."""
        ...

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the method's distillation loss, a scalar, of the student's logits."""
        ...

    def save(self, state: State) -> None:
        """Put the source's own state (generator, pool, bank) into `state`."""
        ...

    def load(self, state: State) -> None:
        """Take it back from `state`."""
        ...
