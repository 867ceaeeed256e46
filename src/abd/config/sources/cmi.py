"""Settings of contrastive model inversion (method section 5.3)."""

from __future__ import annotations

from typing import ClassVar, Self

from abd.config.fields import (
    BatchSize,
    Count,
    Fraction,
    NonNegative,
    Rate,
    Section,
    Whole,
)
from abd.config.sources.base import SourceSettings
from abd.nets.layout import Layout


class Synthesis(Section):
    """One call of the synthesis; see `abd.sources.synthesis.Recipe`."""

    images: BatchSize
    steps: Count
    nz: Count
    lr: Rate
    w_bn: NonNegative
    w_onehot: NonNegative
    w_adv: NonNegative
    w_contrast: NonNegative
    temperature: Rate
    n_negatives: Whole
    crop_pad: Whole


class CmiSettings(SourceSettings):
    """Section `distill.cmi`; an epoch is a call of synthesis, then `kd_steps` rounds."""

    build: ClassVar[str] = "abd.sources.cmi:CmiSource"
    length: ClassVar[str] = "epochs"

    epochs: Count
    kd_steps: Count
    lr: Rate
    momentum: Fraction
    weight_decay: NonNegative
    crop_pad: Whole
    hflip: bool
    lr_head: Rate
    head_dim: Count
    bank: Count
    synthesis: Synthesis

    def rounds_per_epoch(self, n_pool: int) -> int:
        """The steps of synthesis, and those of distillation."""
        return self.synthesis.steps + self.kd_steps

    def brief(self) -> tuple[Self, tuple[float, ...]]:
        """A step of synthesis, and one of distillation."""
        steps, in_all = self.synthesis.steps, self.rounds_per_epoch(0)
        synthesis = self.synthesis.model_copy(update={"steps": 1})
        brief = self.model_copy(update={"synthesis": synthesis, "kd_steps": 1})
        return brief, (steps / in_all, self.kd_steps / in_all)

    def made(self) -> int:
        """The pool that grows by every call of the synthesis."""
        return self.epochs * self.synthesis.images

    def misfits(self, teacher: Layout, student: Layout) -> dict[str, str]:
        """It inverts what the teacher's BatchNorm layers remember."""
        if teacher.has_batch_norm:
            return {}
        return {"synthesis": "expected a teacher with BatchNorm layers, got one without"}

    def cached(self) -> int:
        """What a step of the synthesis made."""
        return self.synthesis.images
