"""CIFAR-10 as torchvision reads it, which checks every file's md5 (section 1.3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from abd.data.arrays import ArrayDataset
from abd.data.download import reading
from abd.data.raw import Raw

FOLDER = "cifar-10-batches-py"


def load_cifar10(raw: Raw) -> ArrayDataset:
    """Read CIFAR-10 in its official order: 50,000 and 10,000 images (N, 32, 32, 3).

    Raises AbdError where it is not there, not whole, or cannot be downloaded.
    """
    from torchvision.datasets import CIFAR10

    with reading("cifar10", raw.root / FOLDER, raw.download):
        train, test = (
            CIFAR10(raw.root, train=part, download=raw.download) for part in (True, False)
        )
    return ArrayDataset(
        **_arrays("train", train), **_arrays("test", test), class_names=tuple(train.classes)
    )


def _arrays(part: str, own: Any) -> dict[str, np.ndarray]:
    return {
        f"x_{part}": np.ascontiguousarray(own.data),
        f"y_{part}": np.array(own.targets, np.int64),
    }
