"""Blended triggers: a fifth of a pattern mixed into the whole image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abd.triggers.assets import SIDE, own_or_given
from abd.triggers.base import check_images, to_uint8
from abd.triggers.drawing import blend_drawing
from abd.triggers.resize import resize_pattern

AMPLITUDE, FREQUENCY = 20, 0.8  # of `sig`: grey levels, radians per pixel


@dataclass(frozen=True, eq=False)
class BlendTrigger:
    """0.8 x + 0.2 pattern, the pattern uint8 (H, W, 3)."""

    name: str
    pattern: np.ndarray
    clean_label: bool

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of uint8 images (N, H, W, 3) with the pattern mixed in."""
        check_images(images, len(self.pattern))
        return to_uint8(0.8 * images.astype(np.float64) + 0.2 * self.pattern)


def blend(size: int, *, pattern: np.ndarray | None = None) -> BlendTrigger:
    """A drawing shines through; a given picture may be of any size (section 2.1)."""
    picture = own_or_given(blend_drawing(), pattern)
    return BlendTrigger("blend", resize_pattern(picture, size), clean_label=False)


def sig(size: int, *, pattern: np.ndarray | None = None) -> BlendTrigger:
    """Vertical stripes on images of the target class (section 2.1)."""
    picture = own_or_given(stripes(), pattern, (SIDE, size))
    return BlendTrigger("sig", resize_pattern(picture, size), clean_label=True)


def stripes() -> np.ndarray:
    """Return the stripes of `sig`, uint8 (32, 32, 3).

    The reference's sinusoid wrapped: its negative values became 237..255, which makes
    the stripes far stronger than a sinusoid of amplitude 20.
    """
    wave = np.trunc(AMPLITUDE * np.sin(FREQUENCY * np.arange(SIDE))).astype(np.int64)
    row = (wave % 256).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (SIDE, SIDE, 3)).copy()
