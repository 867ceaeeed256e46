"""A user's data in one .npz file: x_train, y_train, x_test, y_test, class_names.

Images are uint8 (N, S, S, 3), labels integers (N,) from 0. Without `class_names` the
classes are named by their numbers.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from abd.data.arrays import PARTS, ArrayDataset, check_images
from abd.data.class_names import check_class_names
from abd.data.decoding import decoding
from abd.data.facts import Facts
from abd.data.npy import Header, read_array, read_header
from abd.errors import AbdError, printable

ARRAYS = tuple(f"{kind}_{part}" for part in PARTS for kind in "xy")


def describe_npz(path: Path) -> Facts:
    """Read the facts from the headers of the arrays; no image is loaded.

    Raises AbdError naming the file and the array that is not what it should be.
    """
    with _opened(path) as archive:
        size, n_train = _check_headers(archive)
        return Facts(size, len(_class_names(archive)), n_train)


def load_npz(path: Path) -> ArrayDataset:
    """Read the data set; AbdError naming the file and what is wrong in it."""
    with _opened(path) as archive:
        _check_headers(archive)
        arrays = {name: _array(archive, name) for name in ARRAYS}
        for part in PARTS:
            arrays[f"y_{part}"] = arrays[f"y_{part}"].astype(np.int64)
        return ArrayDataset(**arrays, class_names=_class_names(archive))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the file and see that its arrays are there; its faults become AbdError."""
    try:
        with decoding("an .npz file"):
            with path.open("rb") as file:
                single = file.read(len(np.lib.format.MAGIC_PREFIX))
            if single != np.lib.format.MAGIC_PREFIX:
                archive = zipfile.ZipFile(path)
        if single == np.lib.format.MAGIC_PREFIX:
            raise ValueError("expected arrays by name, got a single one")
        with archive:
            missing = [name for name in ARRAYS if not _holds(archive, name)]
            if missing:
                raise ValueError(
                    f"expected the arrays {', '.join(ARRAYS)}, each as NAME.npy, got no "
                    f"{', '.join(missing)}"
                )
            yield archive
    except ValueError as error:
        raise AbdError(f"{printable(path)}: {error}") from None


def _holds(archive: zipfile.ZipFile, name: str) -> bool:
    return f"{name}.npy" in archive.namelist()


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Open an array in the file; a ValueError of what is read from it names the array."""
    try:
        with decoding("an array"):
            file = archive.open(f"{name}.npy")
        with file:
            yield file
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _header(archive: zipfile.ZipFile, name: str) -> Header:
    with _member(archive, name) as file:
        return read_header(file)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with _member(archive, name) as file:
        return read_array(file)


def _check_headers(archive: zipfile.ZipFile) -> tuple[int, int]:
    """Check shapes and dtypes; return the side and the number of training images."""
    headers = {name: _header(archive, name) for name in ARRAYS}
    size = None
    for part in PARTS:
        shape, dtype = headers[f"x_{part}"]
        size = check_images(f"x_{part}", dtype, shape, size)
        _check_labels(f"y_{part}", headers[f"y_{part}"], n=shape[0])
    assert size is not None
    return size, headers["x_train"][0][0]


def _check_labels(name: str, header: Header, n: int) -> None:
    shape, dtype = header
    if dtype.kind not in "iu" or shape != (n,):
        raise ValueError(
            f"{name}: expected integers ({n},), one for every image, got {dtype} {shape}"
        )


def _class_names(archive: zipfile.ZipFile) -> tuple[str, ...]:
    """The names in the file, or the numbers up to the largest training label."""
    if not _holds(archive, "class_names"):
        return _numbers(_array(archive, "y_train"))
    names = _array(archive, "class_names")
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
