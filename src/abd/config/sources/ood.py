"""Settings of distillation from patches of single photographs (method section 5.4)."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from abd.config.fields import Count, Rate
from abd.config.sources.base import Pool, PoolSettings, shortened


class OodSettings(PoolSettings):
    """Section `distill.ood`."""

    build: ClassVar[str] = "abd.sources.ood:OodSource"
    pool: ClassVar[Pool | None] = "patches"
    drop_last: ClassVar[bool] = True

    lr: Rate
    schedule: Literal["steps", "cosine"]
    milestones: list[Count]
    gamma: Rate
    cutmix_beta: Rate

    def scaled(self, budget: float) -> Self:
        """With fewer epochs, and milestones as much earlier."""
        milestones = [shortened(m, budget) for m in self.milestones]
        return super().scaled(budget).model_copy(update={"milestones": milestones})
