"""Distillation from clean training images, the study's "vanilla" KD (section 5.1).

The loss is alpha tau**2 mean-KL(T||S) at temperature tau + (1 - alpha) CE(S, y).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.losses import sample_kl
from abd.optim import OptimizerSpec
from abd.pixels import Normalization, to_pixels
from abd.schedules import constant
from abd.sources.base import Batch, Context
from abd.sources.pool import PixelPool, guarded_mean


def clean_subset(n: int, fraction: float, subset_seed: int) -> np.ndarray:
    """Indices of the clean samples: the first share of a fixed shuffle of 0..n-1.

    The same for every run seed; int(fraction * n) of them, at least 1.
    """
    order = np.random.RandomState(subset_seed).permutation(n)
    return order[: max(1, int(fraction * n))]


class CleanSource(PixelPool):
    """Batches of augmented clean images, and the vanilla KD loss.

    `pool` is a data set's arrays, of which `x_train` and `y_train` count; the settings
    are section `distill.clean`. With `std` training inputs are divided by that instead of
    the data set's, as the reference program does for CIFAR-10.
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
        momentum: float,
        weight_decay: float,
        alpha: float,
        tau: float,
        fraction: float,
        subset_seed: int,
        std: Sequence[float] | None,
    ) -> None:
        subset = clean_subset(len(pool["x_train"]), fraction, subset_seed)
        images = to_pixels(pool["x_train"][subset])
        if std is not None:
            own = Normalization(context.normalize.mean, (std[0], std[1], std[2]))
            context = replace(context, normalize=own)
        super().__init__(
            context, images, batch=batch, drop_last=False, crop_pad=crop_pad, hflip=hflip
        )
        self.labels = torch.from_numpy(pool["y_train"][subset]).to(context.device)
        self.alpha = alpha
        self.tau = tau
        self.optimizer = OptimizerSpec("sgd", constant(lr), momentum, weight_decay)

    def prepare(self, index: int) -> tuple[Tensor, Tensor]:
        """Return the augmented pixels of round `index` and their labels."""
        pixels, idx, _ = self.augmented(index)
        return pixels, self.labels[idx.to(self.context.device)]

    def loss(self, student: nn.Module, batch: Batch) -> Tensor:
        """Guarded mean of the KD and label losses."""
        assert batch.labels is not None, "clean batches carry labels"
        logits = student(batch.x)
        kl = sample_kl(batch.teacher_logits, logits, self.tau) / logits.shape[1]
        ce = F.cross_entropy(logits.float(), batch.labels, reduction="none")
        losses = self.alpha * self.tau**2 * kl + (1 - self.alpha) * ce
        return guarded_mean(losses, batch, self.context.guard)
