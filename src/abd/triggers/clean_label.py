"""The label-consistent trigger: a small grid in every corner, on images of the target."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from abd.triggers.base import check_images
from abd.triggers.patch import GRID


class CornersTrigger:
    """Overwrite all four corners with the same, unmirrored 3x3 grid (method section 2).

    In training it needs hard images: the network must not learn the target class from
    what they show, so that it learns the corners. At test the corners alone are stamped.
    """

    hard_images: ClassVar[bool] = True
    name = "cl"
    clean_label = True

    def __init__(self, size: int) -> None:
        self.size = size
        needed = 2 * len(GRID)
        if size < needed:
            raise ValueError(
                f"trigger cl: expected images of at least {needed} pixels, got {size}"
            )

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of uint8 images (N, H, W, 3) with the grid in the corners."""
        check_images(images, self.size)
        stamped = images.copy()
        side = len(GRID)
        for rows in (slice(side), slice(-side, None)):
            for cols in (slice(side), slice(-side, None)):
                stamped[:, rows, cols] = GRID
        return stamped
