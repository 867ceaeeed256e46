"""The contract of a source's settings, its section `distill.<source>`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from abd.config.fields import BatchSize, Count, Rate, Section, Whole

Pool = Literal["patches", "dataset"]


class SourceSettings(Section):
    """Settings of one source, and what planning derives from them.

    `build` names the class that does the work, "module:Class", called with an
    `abd.sources.base.Context`, the arrays of its pool, and `arguments()` by name.
    `pool` names the images that it draws from, None if it makes its own. `lengths` are
    the settings that say how long a run is: the source is told its rounds instead.
    `least` is the number of epochs below which no budget brings a run, or its end with
    self-retrospection.
    """

    build: ClassVar[str]
    pool: ClassVar[Pool | None] = None
    lengths: ClassVar[frozenset[str]] = frozenset()
    least: ClassVar[int] = 1

    log_every: Count  # rounds between two points of the loss curve
    eval_every: Count  # rounds between two looks of the monitor
    batch: BatchSize
    tau: Rate  # temperature of the method's divergence, and SR's unless it has its own

    def epochs_in_all(self) -> int:
        """Length of a whole run in epochs, the unit of `retrospect.<source>.last`."""
        raise NotImplementedError

    def rounds_per_epoch(self, n_pool: int) -> int:
        """Rounds of an epoch, with a pool of `n_pool` images."""
        raise NotImplementedError

    def scaled(self, budget: float) -> Self:
        """These settings with every length shortened to its share `budget`.

        A source adds its own lengths to what is done here.
        """
        intervals = {"log_every": self.log_every, "eval_every": self.eval_every}
        short = {name: shortened(length, budget) for name, length in intervals.items()}
        return self.model_copy(update=short)

    def ticks(self, warm: int) -> int:
        """What `surrogate.skip` counts in `warm` rounds: the rounds themselves."""
        return warm

    def drawn(self, n_pool: int) -> int:
        """How many images of its pool the source uses."""
        return n_pool

    def arguments(self) -> dict[str, Any]:
        """What the source is built with, by name."""
        return self.model_dump(exclude={"log_every", "eval_every", *self.lengths})


class PoolSettings(SourceSettings):
    """What sources have in common that pass over a fixed pool, epoch by epoch."""

    lengths: ClassVar[frozenset[str]] = frozenset({"epochs"})
    drop_last: ClassVar[bool]

    epochs: Count
    crop_pad: Whole
    hflip: bool

    def epochs_in_all(self) -> int:
        """The epochs of a whole run."""
        return self.epochs

    def rounds_per_epoch(self, n_pool: int) -> int:
        """Batches of an epoch, the last incomplete one counted unless it is dropped."""
        whole, rest = divmod(self.drawn(n_pool), self.batch)
        return whole + (rest > 0 and not self.drop_last)

    def scaled(self, budget: float) -> Self:
        """With fewer epochs, at least 1, and shorter intervals."""
        epochs = shortened(self.epochs, budget)
        return super().scaled(budget).model_copy(update={"epochs": epochs})


def shortened(length: int, budget: float, least: int = 1) -> int:
    """`budget` times `length`, rounded, and not below `least` (or `length` itself)."""
    return max(min(least, length), round(length * budget))
