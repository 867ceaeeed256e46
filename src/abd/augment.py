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


def random_resized_crop(
    images: Tensor,
    generator: torch.Generator,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Tensor:
    """Cut a box of random area and aspect from each image, resized to the image's size.

    images: float (B, C, H, W); scale: range of the area's share, uniform; ratio: of the
    aspect, log-uniform. Bilinear, as two matrix products, so that gradients flow back
    deterministically on every device. A box that does not fit is clipped to the image.
    """
    n, _, height, width = images.shape
    draws = torch.rand(4, n, generator=generator)
    area = scale[0] + (scale[1] - scale[0]) * draws[0]
    low, high = (torch.tensor(r).log() for r in ratio)
    aspect = (low + (high - low) * draws[1]).exp()
    tall, wide = ((area / aspect).sqrt().clamp(max=1), (area * aspect).sqrt().clamp(max=1))
    rows = _resampling(height, tall, draws[2]).to(images)
    cols = _resampling(width, wide, draws[3]).to(images)
    return rows[:, None] @ images @ cols[:, None].transpose(2, 3)


def _resampling(size: int, share: Tensor, place: Tensor) -> Tensor:
    """Matrices (B, size, size) that stretch a share of a line over the whole of it.

    share: (B,) length in [0, 1]; place: (B,) where it begins, 0 at the start and 1 as far
    as it fits. Linear between pixel centres, the edge pixels repeated.
    """
    start = (1 - share) * place * size
    centres = (torch.arange(size) + 0.5) / size
    at = start[:, None] + centres * share[:, None] * size - 0.5
    at = at.clamp(0, size - 1)
    distance = (at[:, :, None] - torch.arange(size)).abs()
    return (1 - distance).clamp_min(0)
