"""Additive triggers: a full-image pattern added to the image, then clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abd.triggers.base import check_images, to_uint8
from abd.triggers.resize import resize_pattern
from abd.triggers.watermark import watermark_pattern


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


def trojan_wm(size: int) -> AdditiveTrigger:
    """Trojan watermark: a ringed line drawing over the whole image (section 2.1)."""
    return AdditiveTrigger("trojan_wm", resize_pattern(watermark_pattern(), size))
