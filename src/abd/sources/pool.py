"""Batches from a fixed pool of images: what OOD and clean distillation share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from abd.augment import random_crop, random_hflip
from abd.seeding import torch_stream
from abd.shuffling import agreement, sample_weights
from abd.sources.base import Batch, Context, Guard
from abd.state import State


class PixelPool:
    """A pool of uint8 images (N, 3, H, W), visited in a new order every epoch.

    Batches are cropped after padding by `crop_pad` pixels, and mirrored half the time
    where `hflip` says so.
    """

    def __init__(
        self,
        context: Context,
        pixels: Tensor,
        *,
        batch: int,
        drop_last: bool,
        crop_pad: int,
        hflip: bool,
    ) -> None:
        if len(pixels) < batch:
            raise ValueError(f"pool: expected at least {batch} images, got {len(pixels)}")
        self.context = context
        self.pixels = pixels.to(context.device)
        self.batch = batch
        self.seed = context.seed
        self.crop_pad, self.hflip = crop_pad, hflip
        self.rounds_per_epoch = len(pixels) // batch
        if not drop_last and len(pixels) % batch:
            self.rounds_per_epoch += 1
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.long)

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Yield the one batch of round `index`."""
        return self.cycle(student, *self.prepare(index))

    def prepare(self, index: int) -> tuple[Tensor, ...]:
        """Return the augmented pixels of round `index` and, if there are any, labels."""
        raise NotImplementedError

    def cycle(self, student: nn.Module, *prepared: Tensor) -> Iterator[Batch]:
        """Yield what was prepared as one batch, with the teacher's answers."""
        yield taught(self.context, *prepared)

    def batch_idx(self, index: int) -> Tensor:
        """Indices of the pool's images in round `index`."""
        epoch, place = divmod(index, self.rounds_per_epoch)
        if epoch != self._epoch:
            stream = torch_stream(self.seed, "pool", "order", epoch)
            self._order = torch.randperm(len(self.pixels), generator=stream)
            self._epoch = epoch
        return self._order[place * self.batch : (place + 1) * self.batch]

    def augmented(self, index: int) -> tuple[Tensor, Tensor, torch.Generator]:
        """Augmented pixels of round `index`, their indices, and its stream."""
        idx = self.batch_idx(index)
        stream = torch_stream(self.seed, "pool", "augment", index)
        pixels = self.pixels[idx.to(self.context.device)]
        if self.hflip:
            pixels = random_hflip(pixels, stream)
        return random_crop(pixels, self.crop_pad, stream), idx, stream

    def save(self, state: State) -> None:
        """Put nothing: the position is all there is to know."""

    def load(self, state: State) -> None:
        """Take nothing."""


@torch.no_grad()
def taught(context: Context, pixels: Tensor, labels: Tensor | None = None) -> Batch:
    """Return pixels (B, 3, H, W) as a batch with the teacher's answers.

    With a vaccine, samples on which teacher and shuffled ensemble agree are suspicious.
    """
    x = context.normalize(pixels)
    if context.vaccine is None:
        return Batch(x, context.teacher(x), labels=labels, pixels=pixels)
    logits, shuffled = context.vaccine(x)
    suspicious = agreement(logits, shuffled)
    return Batch(x, logits, suspicious=suspicious, labels=labels, pixels=pixels)


def guarded_mean(losses: Tensor, batch: Batch, guard: Guard) -> Tensor:
    """Batch mean of sample losses (B,), suspicious samples weighed down (section 6.4)."""
    if batch.suspicious is None:
        return losses.mean()
    if guard.form == "weight":
        return (losses * sample_weights(batch.suspicious, guard.suspicious_weight)).mean()
    # Either set may be empty: its mean is then left out, not NaN.
    means = [
        (losses * mask).sum() / mask.sum().clamp_min(1)
        for mask in (~batch.suspicious, batch.suspicious)
    ]
    return means[0] - guard.suspicious_weight * means[1]
