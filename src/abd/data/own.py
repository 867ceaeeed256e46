"""A user's own data set: one .npz file, or class folders."""

from __future__ import annotations

from pathlib import Path

from abd.data.arrays import ArrayDataset
from abd.data.facts import Facts
from abd.data.folders import describe_folders, load_folders
from abd.data.npz import describe_npz, load_npz
from abd.data.there import is_file, is_folder
from abd.errors import AbdError, printable


def describe_own(path: Path, size: int | None) -> Facts:
    """Find the facts of the data at `path` without reading the images.

    `size` is what class folders are resized to; a file has its own. Raises AbdError where
    there is nothing, or not what is expected.
    """
    if is_folder(path):
        return describe_folders(path, size)
    if not is_file(path):
        raise AbdError(
            f"{printable(path)}: expected an .npz file, or a folder with train/<class>/ "
            "and test/<class>/, got nothing"
        )
    return describe_npz(path)


def load_own(path: Path, size: int, *, resize: bool) -> ArrayDataset:
    """Read the data at `path`; AbdError naming what is wrong, and where.

    resize: whether images in class folders may have another size; see `read_pictures`.
    """
    if is_folder(path):
        return load_folders(path, size, resize=resize)
    return load_npz(path)
