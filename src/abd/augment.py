"""Random augmentation of pixel batches (B, 3, H, W); every draw takes a generator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_crop(pixels: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    """Zero-pad by `pad` on each side, then crop back at a uniform place per image."""
    n, channels, height, width = pixels.shape
    top, left = torch.randint(0, 2 * pad + 1, (2, n), generator=generator)
    rows = (top[:, None] + torch.arange(height))[:, None, :, None]
    cols = (left[:, None] + torch.arange(width))[:, None, None, :]
    image = torch.arange(n)[:, None, None, None]
    channel = torch.arange(channels)[None, :, None, None]
    padded = F.pad(pixels, (pad, pad, pad, pad))
    dev = pixels.device
    return padded[image.to(dev), channel.to(dev), rows.to(dev), cols.to(dev)]


def random_hflip(pixels: Tensor, generator: torch.Generator, p: float = 0.5) -> Tensor:
    """Mirror each image left to right with probability `p`."""
    flip = torch.rand(len(pixels), generator=generator) < p
    return torch.where(flip.to(pixels.device)[:, None, None, None], pixels.flip(3), pixels)


def cutmix(pixels: Tensor, beta: float, generator: torch.Generator) -> Tensor:
    """Paste one box of a permuted copy of the batch into the batch.

    lambda ~ Beta(beta, beta); the box has sides int(size * sqrt(1 - lambda)), a uniform
    integer centre, and is clipped; one box and one permutation per batch, no labels
    (method section 5.4).
    """
    n, _, height, width = pixels.shape
    # Beta(a, a) from two Gamma(a) draws: torch's Beta takes no generator.
    shape = torch.full((2,), beta, dtype=torch.float64)
    gammas = torch._standard_gamma(shape, generator=generator)
    lam = float(gammas[0] / gammas.sum())
    permuted = torch.randperm(n, generator=generator)
    row = int(torch.randint(0, height, (), generator=generator))
    col = int(torch.randint(0, width, (), generator=generator))
    half_h, half_w = (int(size * (1 - lam) ** 0.5) // 2 for size in (height, width))
    rows = slice(max(row - half_h, 0), min(row + half_h, height))
    cols = slice(max(col - half_w, 0), min(col + half_w, width))
    mixed = pixels.clone()
    mixed[:, :, rows, cols] = pixels[permuted.to(pixels.device)][:, :, rows, cols]
    return mixed
