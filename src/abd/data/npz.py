"""A user's data in one .npz file: x_train, y_train, x_test, y_test, class_names.

Images are uint8 (N, S, S, 3), labels integers (N,) from 0. Without `class_names` the
classes are named by their numbers.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from abd.data.arrays import PARTS, ArrayDataset, check_images
from abd.data.facts import Facts
from abd.errors import AbdError

ARRAYS = tuple(f"{kind}_{part}" for part in PARTS for kind in "xy")


def describe_npz(path: Path) -> Facts:
    """Read the facts from the headers of the arrays; no image is loaded.

    Raises AbdError naming the file and the array that is not what it should be.
    """
    with opened(path, ARRAYS) as archive:
        headers = {name: header(archive, name) for name in ARRAYS}
        size = None
        for part in PARTS:
            shape, dtype = headers[f"x_{part}"]
            size = check_images(f"x_{part}", dtype, shape, size)
            check_labels(f"y_{part}", headers[f"y_{part}"], n=shape[0])
        assert size is not None
        return Facts(size, len(_class_names(archive)), headers["x_train"][0][0])


def load_npz(path: Path) -> ArrayDataset:
    """Read the data set; AbdError naming the file and what is wrong in it."""
    with opened(path, ARRAYS) as archive:
        arrays = {name: archive[name] for name in ARRAYS}
        for part in PARTS:
            y = arrays[f"y_{part}"]
            check_labels(f"y_{part}", (y.shape, y.dtype), n=len(arrays[f"x_{part}"]))
            arrays[f"y_{part}"] = y.astype(np.int64)
        return ArrayDataset(**arrays, class_names=_class_names(archive))


@contextmanager
def opened(path: Path, names: Sequence[str]) -> Iterator[np.lib.npyio.NpzFile]:
    """Open the file and see that its arrays are there; its faults become AbdError."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("expected arrays by name, got a single one")
        with archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise ValueError(
                    f"expected the arrays {', '.join(names)}, got no {', '.join(missing)}"
                )
            yield archive
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise AbdError(f"{path}: {error}") from None


def header(archive: np.lib.npyio.NpzFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of an array, without its contents."""
    assert archive.zip is not None
    with archive.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    return shape, dtype


def check_labels(name: str, found: tuple[tuple[int, ...], np.dtype], n: int) -> None:
    """Raise ValueError, naming `name`, unless shape and dtype are those of `n` labels."""
    shape, dtype = found
    if dtype.kind not in "iu" or shape != (n,):
        raise ValueError(
            f"{name}: expected integers ({n},), one for every image, got {dtype} {shape}"
        )


def _class_names(archive: np.lib.npyio.NpzFile) -> tuple[str, ...]:
    """The names in the file, or the numbers up to the largest training label."""
    if "class_names" not in archive.files:
        largest, n = int(archive["y_train"].max()), len(archive["y_train"])
        if largest >= n:  # before a name is made for every number below
            raise ValueError(
                f"y_train: expected labels from 0 on, every class among its {n} images, "
                f"got {largest}"
            )
        return tuple(str(k) for k in range(largest + 1))
    names = archive["class_names"]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(
            f"class_names: expected text (K,), got {names.dtype} {names.shape}"
        )
    return tuple(str(name) for name in names)
