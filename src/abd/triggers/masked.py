"""Masked triggers: some pixels give way to a pattern, the others stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abd.triggers.anchor import anchor
from abd.triggers.assets import SIDE, AssetError, own_or_given
from abd.triggers.base import check_images, to_uint8

# Row 31, columns 23-31, RGB (method section 2.1).
NINE_PIXELS = np.array(
    [
        [0, 0, 0],
        [255, 0, 255],
        [0, 0, 255],
        [255, 255, 0],
        [255, 255, 255],
        [0, 255, 255],
        [0, 255, 255],
        [255, 0, 0],
        [255, 255, 255],
    ],
    np.uint8,
)


@dataclass(frozen=True, eq=False)
class MaskedTrigger:
    """x (1 - mask) + pattern: mask (H, W, 3) in 0..1, pattern (H, W, 3) in 0..255."""

    name: str
    mask: np.ndarray
    pattern: np.ndarray
    clean_label: bool = False

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of uint8 images (N, H, W, 3) with the masked pixels replaced."""
        check_images(images, len(self.pattern))
        return to_uint8(images.astype(np.float64) * (1 - self.mask) + self.pattern)


def l0_inv(
    size: int, *, pattern: np.ndarray | None = None, mask: np.ndarray | None = None
) -> MaskedTrigger:
    """Invisible in the L0 sense: nine coloured pixels in the corner (section 2.1).

    A given `mask` is as the reference's: (3, S, S), 0..1, S the given pattern's side.
    """
    own_mask, own_pattern = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    own_mask[-1, -9:] = 1
    own_pattern[-1, -9:] = NINE_PIXELS
    picture = own_or_given(own_pattern, pattern, (SIDE, size))
    weights = own_mask if mask is None else _checked(mask)
    if weights.shape != picture.shape:
        raise AssetError(
            "mask", f"expected the pattern's {len(picture)} pixels, got {len(weights)}"
        )
    used = np.maximum(weights, picture).max(axis=2)
    return MaskedTrigger(
        "l0_inv",
        mask=anchor("l0_inv", weights.astype(np.float64), size, used),
        pattern=anchor("l0_inv", picture, size, used),
    )


def _checked(mask: np.ndarray) -> np.ndarray:
    """Return a given mask as (S, S, 3); AssetError where it is none."""
    if mask.ndim != 3 or mask.shape != (3, mask.shape[1], mask.shape[1]):
        raise AssetError("mask", f"expected an array (3, S, S), got {mask.shape}")
    if mask.dtype.kind not in "fiub" or not ((mask >= 0) & (mask <= 1)).all():
        raise AssetError("mask", f"expected numbers in 0..1, got {mask.dtype} outside")
    return mask.transpose(1, 2, 0)
