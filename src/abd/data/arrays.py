"""A data set in memory: images, labels and class names, checked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """Images uint8 (N, H, W, 3), labels int64 (N,), for training and test.

    Raises ValueError, naming the field, where an array is not what it should be.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        size = self.x_train.shape[1]
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1:] != (size, size, 3):
                raise ValueError(
                    f"x_{part}: expected uint8 (N, {size}, {size}, 3), "
                    f"got {x.dtype} {x.shape}"
                )
            if y.dtype != np.int64 or y.shape != (len(x),):
                raise ValueError(
                    f"y_{part}: expected int64 ({len(x)},), got {y.dtype} {y.shape}"
                )
            absent = sorted(set(range(self.n_classes)) ^ set(np.unique(y).tolist()))
            if absent:
                raise ValueError(
                    f"y_{part}: expected every class in 0..{self.n_classes - 1} and no "
                    f"other, wrong at {absent}"
                )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def size(self) -> int:
        """Side of the square images in pixels."""
        return int(self.x_train.shape[1])
