"""A user's data in one .npz file: x_train, y_train, x_test, y_test, class_names.

Images are uint8 (N, S, S, 3), labels integers (N,) from 0. Without `class_names` the
classes are named by their numbers.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from abd.data.archive import array, header, holds, opened
from abd.data.arrays import PARTS, ArrayDataset, check_images
from abd.data.class_names import check_class_names
from abd.data.facts import Facts
from abd.data.npy import Header

ARRAYS = tuple(f"{kind}_{part}" for part in PARTS for kind in "xy")


def describe_npz(path: Path) -> Facts:
    """Read the facts from the headers of the arrays; no image is loaded.

    Raises AbdError naming the file and the array that is not what it should be.
    """
    with opened(path, ARRAYS) as archive:
        size, n_train = _check_headers(archive)
        return Facts(size, len(_class_names(archive)), n_train)


def load_npz(path: Path) -> ArrayDataset:
    """Read the data set; AbdError naming the file and what is wrong in it."""
    with opened(path, ARRAYS) as archive:
        _check_headers(archive)
        arrays = {name: array(archive, name) for name in ARRAYS}
        for part in PARTS:
            arrays[f"y_{part}"] = arrays[f"y_{part}"].astype(np.int64)
        return ArrayDataset(**arrays, class_names=_class_names(archive))


def _check_headers(archive: zipfile.ZipFile) -> tuple[int, int]:
    """Check shapes and dtypes; return the side and the number of training images."""
    headers = {name: header(archive, name) for name in ARRAYS}
    size = None
    for part in PARTS:
        shape, dtype = headers[f"x_{part}"]
        size = check_images(f"x_{part}", dtype, shape, size)
        check_labels(f"y_{part}", headers[f"y_{part}"], n=shape[0])
    assert size is not None
    return size, headers["x_train"][0][0]


def check_labels(name: str, found: Header, n: int) -> None:
    """Raise ValueError, naming `name`, unless shape and dtype are those of `n` labels."""
    shape, dtype = found
    if dtype.kind not in "iu" or shape != (n,):
        raise ValueError(
            f"{name}: expected integers ({n},), one for every image, got {dtype} {shape}"
        )


def _class_names(archive: zipfile.ZipFile) -> tuple[str, ...]:
    """The names in the file, or the numbers up to the largest training label."""
    if not holds(archive, "class_names"):
        return _numbers(array(archive, "y_train"))
    names = array(archive, "class_names")
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(
            f"class_names: expected text (K,), got {names.dtype} {names.shape}"
        )
    try:
        check_class_names(names.tolist())
    except ValueError as error:
        raise ValueError(f"class_names: {error}") from None
    return tuple(names.tolist())


def _numbers(labels: np.ndarray) -> tuple[str, ...]:
    """Names of the classes 0 up to the largest of labels (N,)."""
    largest, n = int(labels.max()), len(labels)
    if largest >= n:  # before a name is made for every number below
        raise ValueError(
            f"y_train: expected labels from 0 on, every class among its {n} images, "
            f"got {largest}"
        )
    if largest < 1:
        raise ValueError(
            f"y_train: expected labels of 2 classes or more, from 0 on, got none above "
            f"{largest}"
        )
    return tuple(str(k) for k in range(largest + 1))
