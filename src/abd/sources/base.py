"""The contract of a surrogate source: where a distillation's batches come from.

A run is a row of *rounds*. In a round a source may synthesise, and then shows the
student some batches: one in OOD and clean distillation, one batch ten times in ZSKT,
none in CMI's rounds of synthesis. The distillation loop knows no source by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from abd.errors import AbdError
from abd.optim import OptimizerSpec
from abd.pixels import Normalization
from abd.shuffling import ShuffledTeacher, stability
from abd.state import State


@dataclass(frozen=True, eq=False)
class Batch:
    """What the student is shown.

    x: (B, 3, H, W) normalised input, detached. teacher_logits: (B, K), detached.
    teacher_maps: where the teacher looks (`attention_map`), if the loss compares that.
    suspicious: (B,) mask of the samples that the vaccine flags, None without one.
    labels: (B,) where the source has them. pixels: (B, 3, H, W) uint8 where `x` was made
    from pixels. repeats: how often the student takes a step on this batch; with 0 it was
    made on the way to another. seen: how often it counts in the surrogate cache.
    """

    x: Tensor
    teacher_logits: Tensor
    teacher_maps: tuple[Tensor, ...] = ()
    suspicious: Tensor | None = None
    labels: Tensor | None = None
    pixels: Tensor | None = None
    repeats: int = 1
    seen: int = 1


@dataclass(frozen=True)
class Guard:
    """How the vaccine enters a source's losses.

    alpha: weight of the term that makes generators prefer unstable images (section 6.3);
    detach: no gradient flows through the shuffled teacher there; average: over the
    "agreeing" samples, as in the program, or over the "batch". suspicious_weight: of
    the suspicious samples of a pool (section 6.4), by form "weight" (the paper's: the
    batch mean of weighted losses) or "ascent" (the program's: the mean over the others
    minus so much of the mean over the suspicious).
    """

    alpha: float = 0.1
    detach: bool = False
    average: str = "agreeing"
    suspicious_weight: float = 0.1
    form: str = "weight"

    def term(self, logits: Tensor, shuffled: Tensor) -> Tensor:
        """What the generators' loss is given with logits (B, K) of both, a scalar."""
        if self.detach:
            shuffled = shuffled.detach()
        return -self.alpha * stability(logits, shuffled, self.average)


@dataclass(frozen=True, eq=False)
class Context:
    """What every source is built with, besides its own settings and its pool.

    teacher: frozen, in eval mode, on `device`, for images of `size` x `size` pixels and
    `n_classes` classes. seed: of all the source's streams.
    rounds: the length of a whole run, which schedules count on. vaccine: None for plain
    distillation. graphed: whether rounds are to be recorded as CUDA graphs.
    """

    teacher: nn.Module
    normalize: Normalization
    device: torch.device
    size: int
    n_classes: int
    seed: int
    rounds: int
    vaccine: ShuffledTeacher | None = None
    guard: Guard = field(default_factory=Guard)
    graphed: bool = False


def check_different(images: Tensor) -> None:
    """Raise AbdError where `images` (B, 3, H, W) are one and the same over and over."""
    if len(images) > 1 and bool((images == images[0]).all()):
        raise AbdError(
            f"distillation: expected different images, got {len(images)} times the same: "
            "the generator is dead; lower its learning rate"
        )


class Source(Protocol):
    """Produces batches, and defines the distillation loss on them.

    `optimizer`: the student's. `batches` must depend on nothing but the streams of its
    round, the student and the source's own state, so that a run can go on anywhere.
    """

    optimizer: OptimizerSpec

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Yield the batches of round `index`."""
        ...

    def loss(self, student: nn.Module, batch: Batch) -> Tensor:
        """Return the method's distillation loss, a scalar, of the student on a batch."""
        ...

    def save(self, state: State) -> None:
        """Put the source's own state (generator, pool, bank) into `state`."""
        ...

    def load(self, state: State) -> None:
        """Take it back from `state`."""
        ...


@runtime_checkable
class GraphSource(Source, Protocol):
    """A source whose rounds are the same work on other tensors, as a CUDA graph has to be.

    `batches(index, student)` is `cycle(student, *prepare(index))`.
    """

    def prepare(self, index: int) -> tuple[Tensor, ...]:
        """Return, on the device, all that is particular to round `index`."""
        ...

    def cycle(self, student: nn.Module, *prepared: Tensor) -> Iterator[Batch]:
        """Yield the batches of the round that was prepared."""
        ...
