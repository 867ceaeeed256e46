"""Additive triggers: a pattern added to the image, then clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abd.triggers.anchor import anchor
from abd.triggers.assets import SIDE, own_or_given
from abd.triggers.base import check_images, to_uint8
from abd.triggers.noise import colour_block, gaussian_noise
from abd.triggers.resize import resize_pattern
from abd.triggers.watermark import watermark_pattern

# The 3x3 block at rows and columns 25-27, RGB row by row (method section 2.1).
BLOCK_3X3 = np.array(
    [
        [[207, 131, 181], [175, 243, 120], [29, 232, 179]],
        [[79, 8, 126], [137, 0, 32], [248, 113, 146]],
        [[131, 40, 4], [6, 145, 61], [246, 250, 246]],
    ],
    np.uint8,
)


@dataclass(frozen=True, eq=False)
class AdditiveTrigger:
    """Add a uint8 pattern (H, W, 3) to the image and clip to the pixel range."""

    name: str
    pattern: np.ndarray
    clean_label: bool = False

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of uint8 images (N, H, W, 3) with the pattern added."""
        check_images(images, len(self.pattern))
        return to_uint8(images.astype(np.float64) + self.pattern)


def trojan_3x3(size: int, *, pattern: np.ndarray | None = None) -> AdditiveTrigger:
    """Trojan block of 3x3 bright pixels, 4 pixels away from the corner (section 2.1)."""
    return _block("trojan_3x3", _at(25, BLOCK_3X3), size, pattern)


def trojan_8x8(size: int, *, pattern: np.ndarray | None = None) -> AdditiveTrigger:
    """Trojan block of 8x8 saturated colours, 3 pixels from the corner (section 2.1)."""
    return _block("trojan_8x8", _at(21, colour_block(8)), size, pattern)


def trojan_wm(size: int, *, pattern: np.ndarray | None = None) -> AdditiveTrigger:
    """Trojan watermark: a ringed line drawing over the whole image (section 2.1)."""
    return _whole("trojan_wm", watermark_pattern(), size, pattern)


def l2_inv(size: int, *, pattern: np.ndarray | None = None) -> AdditiveTrigger:
    """Invisible in the L2 sense: dense, faint, brightening noise (section 2.1)."""
    return _whole("l2_inv", gaussian_noise(), size, pattern)


def _at(first: int, block: np.ndarray) -> np.ndarray:
    """A black picture with a block whose first row and column are `first`."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[first : first + len(block), first : first + len(block)] = block
    return picture


def _whole(
    name: str, own: np.ndarray, size: int, given: np.ndarray | None
) -> AdditiveTrigger:
    """A pattern over the whole image: resized."""
    return AdditiveTrigger(
        name, resize_pattern(own_or_given(own, given, (SIDE, size)), size)
    )


def _block(
    name: str, own: np.ndarray, size: int, given: np.ndarray | None
) -> AdditiveTrigger:
    """A pattern with a block on it: anchored."""
    picture = own_or_given(own, given, (SIDE, size))
    return AdditiveTrigger(name, anchor(name, picture, size, picture.max(axis=2)))
