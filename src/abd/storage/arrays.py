"""NumPy arrays in .npz files; never pickled objects."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from abd.data.arrays import ArrayDataset
from abd.errors import AbdError
from abd.storage.files import replacing

DATASET_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays by name; the same arrays give the same bytes."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of a file; AbdError where it is not there, or no such file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise AbdError(f"{path}: expected an .npz file of arrays, got {error}") from None


def write_dataset(path: Path, dataset: ArrayDataset) -> None:
    """Write a data set: its arrays, and `class_names`."""
    arrays = {name: getattr(dataset, name) for name in DATASET_ARRAYS}
    write_arrays(path, **arrays, class_names=np.array(dataset.class_names))


def read_dataset(path: Path) -> ArrayDataset:
    """Read a data set that `write_dataset` wrote."""
    arrays = read_arrays(path)
    names = tuple(str(name) for name in arrays["class_names"])
    return ArrayDataset(
        **{name: arrays[name] for name in DATASET_ARRAYS}, class_names=names
    )
