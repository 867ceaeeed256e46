"""Patch triggers: a small pattern that overwrites pixels near the bottom right corner.

Patches keep their size and their distance to the corner at every image size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from abd.triggers.base import check_images


@dataclass(frozen=True, eq=False)
class PatchTrigger:
    """Overwrite a patch (h, w, 3), `margin` pixels away from right and bottom border."""

    name: str
    size: int
    patch: np.ndarray
    margin: int
    clean_label: bool = False

    def __post_init__(self) -> None:
        needed = max(self.patch.shape[:2]) + self.margin
        if needed > self.size:
            raise ValueError(
                f"trigger {self.name}: expected images of at least {needed} pixels, "
                f"got {self.size}"
            )

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of uint8 images (N, H, W, 3) with the patch in place."""
        check_images(images, self.size)
        height, width = self.patch.shape[:2]
        end = self.size - self.margin
        stamped = images.copy()
        stamped[:, end - height : end, end - width : end] = self.patch
        return stamped


def _grey(rows: list[list[int]]) -> np.ndarray:
    """Return rows of grey levels as an RGB patch."""
    return np.repeat(np.array(rows, np.uint8)[:, :, None], 3, axis=2)


GRID = _grey([[0, 0, 255], [0, 255, 0], [255, 0, 255]])
# PubFig's grid has its own values, in cells of 10x10 pixels, and is not in the corner:
# at 224 pixels it lies in rows and columns 32-61.
PUBFIG_GRID = _grey([[255, 0, 255], [0, 255, 0], [255, 0, 0]]).repeat(10, 0).repeat(10, 1)
GRIDS = {"corner": (GRID, 0), "pubfig": (PUBFIG_GRID, 224 - 62)}


def badnet_grid(
    size: int, *, variant: Literal["corner", "pubfig"] = "corner"
) -> PatchTrigger:
    """BadNets' 3x3 checker pattern, in the corner or as on PubFig (method section 2)."""
    patch, margin = GRIDS[variant]
    return PatchTrigger("badnet_grid", size, patch, margin)


def badnet_sq(size: int) -> PatchTrigger:
    """BadNets' 4x4 white square, one pixel away from the border (method section 2)."""
    return PatchTrigger("badnet_sq", size, _grey([[255] * 4] * 4), margin=1)
