"""Distillation from patches of single photographs (method section 5.4).

Each batch is flipped, cropped and mixed by CutMix; the loss is mean-KL at temperature
tau, without a tau**2 factor. The vaccine weighs suspicious samples down.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from abd.augment import cutmix
from abd.losses import sample_kl
from abd.optim import OptimizerSpec
from abd.pixels import to_pixels
from abd.schedules import cosine, steps
from abd.sources.base import Batch, Context
from abd.sources.pool import PixelPool, guarded_mean


class OodSource(PixelPool):
    """Batches of augmented patches, and the OOD distillation loss.

    `pool` holds "patches", uint8 (N, H, W, 3); the settings are those of section
    `distill.ood`.
    """

    def __init__(
        self,
        context: Context,
        pool: Mapping[str, np.ndarray],
        *,
        batch: int,
        crop_pad: int,
        hflip: bool,
        lr: float,
        schedule: str,
        milestones: list[int],
        gamma: float,
        tau: float,
        cutmix_beta: float,
    ) -> None:
        super().__init__(
            context,
            to_pixels(pool["patches"]),
            batch=batch,
            drop_last=True,
            crop_pad=crop_pad,
            hflip=hflip,
        )
        self.tau = tau
        self.cutmix_beta = cutmix_beta
        if schedule == "cosine":
            by_round = cosine(lr, context.rounds)
        else:
            by_round = steps(lr, [m * self.rounds_per_epoch for m in milestones], gamma)
        self.optimizer = OptimizerSpec("adam", by_round)

    def prepare(self, index: int) -> tuple[Tensor]:
        """Return the mixed pixels of round `index`."""
        pixels, _, stream = self.augmented(index)
        return (cutmix(pixels, self.cutmix_beta, stream),)

    def loss(self, student: nn.Module, batch: Batch) -> Tensor:
        """Guarded mean-KL(T||S) at temperature tau."""
        logits = student(batch.x)
        kl = sample_kl(batch.teacher_logits, logits, self.tau) / logits.shape[1]
        return guarded_mean(kl, batch, self.context.guard)
