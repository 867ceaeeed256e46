"""The contract of a source's settings, its section `distill.<source>`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from abd.config.fields import BatchSize, Count, Rate, Section, Whole
from abd.nets.layout import Layout

Pool = Literal["patches", "dataset"]


class SourceSettings(Section):
    """Settings of one source, and what planning derives from them.

    `build` names the class that does the work, "module:Class", called with an
    `abd.sources.base.Context`, the arrays of its pool, and `arguments()` by name.
    `pool` names the images that it draws from, None if it makes its own. `length` names
    the setting that says how many epochs a run has: the source is told its rounds instead.
    `least` is the number of epochs below which no budget brings a run, or its end with
    self-retrospection. `reads_batch_norm` says whether the source looks into the teacher's
    BatchNorm layers; where it does not, they may be folded into the convolutions.
    """

    build: ClassVar[str]
    pool: ClassVar[Pool | None] = None
    length: ClassVar[str]
    least: ClassVar[int] = 1
    reads_batch_norm: ClassVar[bool] = True

    log_every: Count  # rounds between two points of the loss curve
    eval_every: Count  # rounds between two looks of the monitor
    batch: BatchSize
    tau: Rate  # temperature of the method's divergence, and SR's unless it has its own

    def epochs_in_all(self) -> int:
        """Length of a whole run in epochs, the unit of `retrospect.<source>.last`."""
        epochs: int = getattr(self, self.length)
        return epochs

    def rounds_per_epoch(self, n_pool: int) -> int:
        """Rounds of an epoch, with a pool of `n_pool` images."""
        raise NotImplementedError

    def brief(self) -> tuple[Self, tuple[float, ...]]:
        """These settings with an epoch of one round of each kind; each kind's share of all.

        What the rounds of a run take is measured on that. Here all rounds are alike.
        """
        return self, (1.0,)

    def scaled(self, budget: float) -> Self:
        """These settings with the run and its intervals shortened to the share `budget`.

        A source whose schedule counts in epochs adds that.
        """
        return self.model_copy(
            update={
                self.length: shortened(self.epochs_in_all(), budget, self.least),
                "log_every": shortened(self.log_every, budget),
                "eval_every": shortened(self.eval_every, budget),
            }
        )

    def cached(self) -> int:
        """Images of a round that the surrogate cache holds."""
        return self.batch

    def made(self) -> int:
        """Images that the source has made by its end and keeps."""
        return 0

    def misfits(self, teacher: Layout, student: Layout) -> dict[str, str]:
        """By key of these settings, what such networks cannot do; empty if nothing."""
        return {}

    def drawn(self, n_pool: int) -> int:
        """How many images of its pool the source uses."""
        return n_pool

    def arguments(self) -> dict[str, Any]:
        """What the source is built with, by name."""
        return self.model_dump(exclude={"log_every", "eval_every", self.length})


class PoolSettings(SourceSettings):
    """What sources have in common that pass over a fixed pool, epoch by epoch."""

    length: ClassVar[str] = "epochs"
    reads_batch_norm: ClassVar[bool] = False
    drop_last: ClassVar[bool]

    epochs: Count
    crop_pad: Whole
    hflip: bool

    def rounds_per_epoch(self, n_pool: int) -> int:
        """Batches of an epoch, the last incomplete one counted unless it is dropped."""
        whole, rest = divmod(self.drawn(n_pool), self.batch)
        return whole + (rest > 0 and not self.drop_last)


def shortened(length: int, budget: float, least: int = 1) -> int:
    """`budget` times `length`, rounded, and not below `least` (or `length` itself)."""
    return max(min(least, length), round(length * budget))
