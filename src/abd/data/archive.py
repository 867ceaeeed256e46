"""A user's .npz file: arrays by name, read without trusting it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from abd.data.decoding import decoding
from abd.data.npy import Header, read_array, read_header
from abd.errors import AbdError, printable


@contextmanager
def opened(path: Path, names: Sequence[str]) -> Iterator[zipfile.ZipFile]:
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
            missing = [name for name in names if not holds(archive, name)]
            if missing:
                raise ValueError(
                    f"expected the arrays {', '.join(names)}, each as NAME.npy, got no "
                    f"{', '.join(missing)}"
                )
            yield archive
    except ValueError as error:
        raise AbdError(f"{printable(path)}: {error}") from None


def holds(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether the file has an array of that name."""
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


def header(archive: zipfile.ZipFile, name: str) -> Header:
    """Shape and dtype of an array, without its contents; ValueError where it is none."""
    with _member(archive, name) as file:
        return read_header(file)


def array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """A whole array; ValueError where it is none, or damaged."""
    with _member(archive, name) as file:
        return read_array(file)
