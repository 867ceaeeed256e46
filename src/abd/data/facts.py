"""What planning must know of a data set before any image is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Side of the square images in pixels, number of classes, number of training images."""

    size: int
    n_classes: int
    n_train: int
