"""Settings of distillation from clean training images (method section 5.1)."""

from __future__ import annotations

from typing import ClassVar

from abd.config.fields import Fraction, NonNegative, Probability, Rate, Seed, Share
from abd.config.sources.base import Pool, PoolSettings


class CleanSettings(PoolSettings):
    """Section `distill.clean`."""

    build: ClassVar[str] = "abd.sources.clean:CleanSource"
    pool: ClassVar[Pool | None] = "dataset"
    drop_last: ClassVar[bool] = False

    lr: Rate
    momentum: Fraction
    weight_decay: NonNegative
    alpha: Probability
    fraction: Share
    subset_seed: Seed
    std: tuple[Rate, Rate, Rate] | None = None

    def drawn(self, n_pool: int) -> int:
        """The share `fraction` of the training set, at least one image."""
        return max(1, int(self.fraction * n_pool))
