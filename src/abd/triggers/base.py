"""What every trigger is, and the check of the images it stamps."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Trigger(Protocol):
    """A hidden pattern that makes a poisoned network predict the target class.

    Those that are not `clean_label` poison images of other classes and relabel them.
    """

    @property
    def name(self) -> str:
        """What it is called in params and paths."""
        ...

    @property
    def clean_label(self) -> bool:
        """Whether it poisons images of the target class and keeps their labels."""
        ...

    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return stamped copies of uint8 images (N, H, W, 3)."""
        ...


def check_images(images: np.ndarray, size: int) -> None:
    """Raise ValueError unless `images` are uint8 (N, size, size, 3)."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (size, size, 3):
        raise ValueError(
            f"images: expected uint8 (N, {size}, {size}, 3), "
            f"got {images.dtype} {images.shape}"
        )


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Clip to [0, 255] and truncate, as the reference does (method section 1.5)."""
    return np.clip(values, 0, 255).astype(np.uint8)
