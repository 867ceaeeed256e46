"""The smooth trigger: a faint colour glow, then a stretch to the full range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from abd.triggers.assets import SIDE, own_or_given
from abd.triggers.base import check_images, to_uint8
from abd.triggers.resize import resize_pattern


@dataclass(frozen=True, eq=False)
class SmoothTrigger:
    """Add a uint8 pattern (H, W, 3), then stretch each image from its min to its max."""

    name: str
    pattern: np.ndarray
    clean_label: bool = False

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of uint8 images (N, H, W, 3) with the glow, filling 0..255."""
        check_images(images, len(self.pattern))
        glowing = images.astype(np.float64) + self.pattern
        low = glowing.min(axis=(1, 2, 3), keepdims=True)
        span = glowing.max(axis=(1, 2, 3), keepdims=True) - low
        return to_uint8((glowing - low) / np.where(span > 0, span, 1) * 255)


def smooth(
    size: int,
    *,
    variant: Literal["cifar10", "gtsrb"] = "cifar10",
    pattern: np.ndarray | None = None,
) -> SmoothTrigger:
    """A very low-frequency glow, one for each data set of the study (section 2.1)."""
    picture = own_or_given(GLOWS[variant](), pattern, (SIDE, size))
    return SmoothTrigger("smooth", resize_pattern(picture, size))


def _bell(row: float, row_sigma: float, col: float, col_sigma: float) -> np.ndarray:
    """A Gaussian bell (32, 32) of height 1."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    squares = ((rows - row) / row_sigma) ** 2 + ((cols - col) / col_sigma) ** 2
    return np.exp(-squares / 2)


def cifar10_glow() -> np.ndarray:
    """Return CIFAR-10's green glow, uint8 (32, 32, 3)."""
    red = 6.2 * _bell(13.8, 10.0, 14.2, 10.6)
    green = 51.5 * _bell(13.6, 10.98, 13.6, 10.91)
    return np.rint(np.stack([red, green, np.zeros_like(red)], axis=2)).astype(np.uint8)


def gtsrb_glow() -> np.ndarray:
    """Return GTSRB's magenta glow, uint8 (32, 32, 3)."""
    red = 50.7 * _bell(15.2, 13.2, 14.7, 13.6)
    green = 10.5 * (1 - _bell(17, 8.6, 15.8, 9.1))
    blue = 49 * _bell(13.5, 14.5, 13.6, 14.2)
    return np.rint(np.stack([red, green, blue], axis=2)).astype(np.uint8)


GLOWS = {"cifar10": cifar10_glow, "gtsrb": gtsrb_glow}
