"""From pixels to network input: uint8 NHWC images to normalised float NCHW tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor


def to_pixels(images: np.ndarray) -> Tensor:
    """Return uint8 images (N, H, W, 3) as a uint8 tensor (N, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Normalization:
    """Per-channel mean and standard deviation, in units of the pixel range [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Map pixels (B, 3, H, W) in 0..255 to (x/255 - mean)/std, float32."""
        scale, shift = _scale_and_shift(self, pixels.device)
        x = pixels.to(torch.float32).contiguous(memory_format=torch.channels_last)
        return x * scale - shift


@cache
def _scale_and_shift(norm: Normalization, device: torch.device) -> tuple[Tensor, Tensor]:
    """1/(255 std) and mean/std, (3, 1, 1) each; once, for a copy would end a CUDA graph."""
    rows = (
        [1 / (255 * s) for s in norm.std],
        [m / s for m, s in zip(norm.mean, norm.std, strict=True)],
    )
    scale, shift = (torch.tensor(row, device=device).view(3, 1, 1) for row in rows)
    return scale, shift
