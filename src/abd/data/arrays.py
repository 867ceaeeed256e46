"""A data set in memory: images, labels and class names, checked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = ("train", "test")
SMALLEST, LARGEST = 16, 224  # pixels


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """Images uint8 (N, S, S, 3), labels int64 (N,), for training and test; S 16 to 224.

    Every class has an image in both parts. Raises ValueError, naming the field, where an
    array is not what it should be.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.n_classes < 2:
            raise ValueError(f"class_names: expected 2 or more, got {self.n_classes}")
        size = check_images("x_train", self.x_train.dtype, self.x_train.shape)
        for part in PARTS:
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            check_images(f"x_{part}", x.dtype, x.shape, size)
            check_range(f"x_{part}", x)
            if y.dtype != np.int64 or y.shape != (len(x),):
                raise ValueError(
                    f"y_{part}: expected int64 ({len(x)},), got {y.dtype} {y.shape}"
                )
            self._check_classes(part, y)

    def _check_classes(self, part: str, y: np.ndarray) -> None:
        if y.min() < 0 or y.max() >= self.n_classes:
            raise ValueError(
                f"y_{part}: expected labels in 0..{self.n_classes - 1}, one per class "
                f"name, got {y.min()}..{y.max()}"
            )
        counts = np.bincount(y, minlength=self.n_classes)
        if not counts.all():
            empty = int(np.argmin(counts))
            raise ValueError(
                f"y_{part}: expected images of every class, got none of class {empty} "
                f"({self.class_names[empty]})"
            )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def size(self) -> int:
        """Side of the square images in pixels."""
        return int(self.x_train.shape[1])


def check_images(
    name: str, dtype: np.dtype, shape: tuple[int, ...], size: int | None = None
) -> int:
    """Return the side of images of this dtype and shape: uint8 (N, size, size, 3).

    With `size` None any side from 16 to 224 will do. Raises ValueError naming `name`.
    """
    side = shape[1] if size is None and len(shape) == 4 else size
    side_text = "S" if size is None else str(size)
    if (
        dtype != np.uint8
        or len(shape) != 4
        or shape[0] == 0
        or shape[1:] != (side, side, 3)
    ):
        raise ValueError(
            f"{name}: expected uint8 (N, {side_text}, {side_text}, 3), got {dtype} "
            f"{tuple(shape)}"
        )
    check_size(name, shape[1])
    return shape[1]


def check_range(name: str, x: np.ndarray) -> None:
    """Raise ValueError, naming `name`, for images whose values were left in [0, 1]."""
    if x.max() <= 1:
        raise ValueError(
            f"{name}: expected values in 0..255, got none above {x.max()}; "
            "multiply images in [0, 1] by 255 before converting them"
        )


def check_size(name: str, size: int) -> None:
    """Raise ValueError, naming `name`, unless images of this side can be worked with."""
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(
            f"{name}: expected images of {SMALLEST} to {LARGEST} pixels, got {size}"
        )
