"""Anchoring: a patch on a picture of one size, moved to images of another."""

from __future__ import annotations

import numpy as np


def anchor(name: str, picture: np.ndarray, size: int, used: np.ndarray) -> np.ndarray:
    """Cut or pad a picture (S, S, ...) to (size, size, ...) at its top and left.

    So what is on it keeps its size and its distance to the bottom right corner. `used`
    (S, S) is not zero where nothing may be cut off. Raises ValueError, naming the
    trigger, where they would be.
    """
    side = len(picture)
    needed = side - int(np.argwhere(used).min())
    if needed > size:
        raise ValueError(
            f"trigger {name}: expected images of at least {needed} pixels, got {size}"
        )
    if side >= size:
        return picture[side - size :, side - size :]
    missing = (size - side, 0)
    return np.pad(picture, [missing, missing, *[(0, 0)] * (picture.ndim - 2)])
