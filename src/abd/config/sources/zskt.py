"""Settings of zero-shot knowledge transfer (method section 5.2)."""

from __future__ import annotations

from typing import ClassVar

from abd.config.fields import Count, NonNegative, Rate
from abd.config.sources.base import SourceSettings
from abd.nets.layout import Layout


class ZsktSettings(SourceSettings):
    """Section `distill.zskt`; a round is a cycle, and so is an epoch."""

    build: ClassVar[str] = "abd.sources.zskt:ZsktSource"
    length: ClassVar[str] = "cycles"
    least: ClassVar[int] = 20
    reads_batch_norm: ClassVar[bool] = False

    cycles: Count
    nz: Count
    generator_steps: Count
    student_steps: Count
    lr_generator: Rate
    lr: Rate
    clip_norm: Rate
    at_beta: NonNegative

    def rounds_per_epoch(self, n_pool: int) -> int:
        """A cycle is counted by itself."""
        return 1

    def misfits(self, teacher: Layout, student: Layout) -> dict[str, str]:
        """Attention transfer compares the stages of both, end by end."""
        if not self.at_beta or 0 < teacher.n_stages == student.n_stages:
            return {}
        stages = f"{teacher.n_stages} and {student.n_stages} named stages"
        return {"at_beta": f"expected 0 for networks of {stages}, got {self.at_beta}"}

    def cached(self) -> int:
        """What the generator showed before each of its steps, and at the end."""
        return (self.generator_steps + 1) * self.batch
