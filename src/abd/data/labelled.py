"""Labelled images besides a data set: one .npz file, or a folder with one folder per class.

In a file: x uint8 (N, S, S, 3) and y integers (N,), the data set's size and class numbers.
Folders are numbered in the order of their names, and their images resized.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.data.archive import array, header, opened
from abd.data.arrays import check_images, check_range
from abd.data.folders import Listing, digest_of, list_classes
from abd.data.npz import check_labels
from abd.data.pictures import read_pictures
from abd.data.there import is_file, is_folder
from abd.errors import AbdError, printable

ARRAYS = ("x", "y")


def check_labelled(path: Path, size: int, n_classes: int) -> None:
    """Look at headers, labels and listings, at no image.

    Raises AbdError naming the file or the folder that is not what it should be.
    """
    if is_folder(path):
        _classes(path, n_classes)
        return
    if not is_file(path):
        raise AbdError(
            f"{printable(path)}: expected an .npz file with the arrays x and y, or a "
            "folder with one folder per class, got nothing"
        )
    with opened(path, ARRAYS) as archive:
        shape, dtype = header(archive, "x")
        check_images("x", dtype, shape, size)
        check_labels("y", header(archive, "y"), n=shape[0])
        _check_classes(array(archive, "y"), n_classes)


def load_labelled(path: Path, size: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read images uint8 (N, size, size, 3) and labels int64 (N,).

    Raises AbdError naming what cannot be read or used.
    """
    check_labelled(path, size, n_classes)
    if is_folder(path):
        listing = _classes(path, n_classes)
        counts = [len(files) for files in listing.values()]
        files = [file for files in listing.values() for file in files]
        x = read_pictures(files, size, resize=True)
        return x, np.repeat(np.arange(n_classes, dtype=np.int64), counts)
    with opened(path, ARRAYS) as archive:
        x, y = (array(archive, name) for name in ARRAYS)
        check_range("x", x)
        return x, y.astype(np.int64)


def labelled_digest(folder: Path) -> str:
    """Digest of the names and the lengths of all image files: quick, for planning."""
    return digest_of(folder, list_classes(folder))


def _classes(folder: Path, n_classes: int) -> Listing:
    listing = list_classes(folder)
    if len(listing) != n_classes:
        raise AbdError(
            f"{printable(folder)}: expected a folder for each of the {n_classes} classes, "
            f"got {len(listing)}"
        )
    # Sorted as names, 10 comes before 2: those images would be taken for another class's.
    numbers = [int(name) for name in listing if name.isdecimal()]
    if len(numbers) == n_classes and numbers != sorted(numbers):
        raise AbdError(
            f"{printable(folder)}: expected numbers with leading zeros (00, 01, ...), so "
            f"that names sort as numbers do, got {', '.join(list(listing)[:3])}, ..."
        )
    return listing


def _check_classes(y: np.ndarray, n_classes: int) -> None:
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(
            f"y: expected labels in 0..{n_classes - 1}, got {y.min()}..{y.max()}"
        )
