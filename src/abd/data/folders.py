"""A user's data in class folders: train/<class>/<image> and test/<class>/<image>.

Classes are numbered in the order of their folders' names, the same in both parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from abd.data.arrays import PARTS, ArrayDataset, check_size
from abd.data.class_names import check_class_names
from abd.data.facts import Facts
from abd.data.pictures import SUFFIXES, read_pictures
from abd.data.rgb import picture_size
from abd.data.there import is_folder
from abd.errors import AbdError, printable

Listing = dict[str, list[Path]]  # image files by class, both sorted


def describe_folders(root: Path, size: int | None) -> Facts:
    """Count classes and training images; the size is that of the first image, or `size`.

    Raises AbdError naming the folder or the file that is not what it should be.
    """
    train = _listings(root)["train"]
    if size is None:
        first = next(iter(train.values()))[0]
        width, height = picture_size(first)
        if width != height:
            raise AbdError(
                f"{printable(first)}: expected a square image, got {width}x{height}; give "
                "`size` to resize all images"
            )
        size = width
        try:
            check_size(printable(first), size)
        except ValueError as error:
            raise AbdError(f"{error}; give `size` to resize all images") from None
    return Facts(size, len(train), sum(map(len, train.values())))


def load_folders(root: Path, size: int, *, resize: bool) -> ArrayDataset:
    """Read all images, class by class; AbdError naming what cannot be read or used."""
    listings = _listings(root)
    arrays = {}
    for part, listing in listings.items():
        paths = [path for files in listing.values() for path in files]
        arrays[f"x_{part}"] = read_pictures(paths, size, resize=resize)
        counts = [len(files) for files in listing.values()]
        arrays[f"y_{part}"] = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    try:
        return ArrayDataset(**arrays, class_names=tuple(listings["train"]))
    except ValueError as error:
        raise AbdError(f"{printable(root)}: {error}") from None


def listing_digest(root: Path) -> str:
    """Digest of the names and the lengths of all image files: quick, for planning."""
    return digest_of(root, *_listings(root).values())


def digest_of(root: Path, *listings: Listing) -> str:
    """Digest of names and lengths of the files of listings below `root`."""
    digest = hashlib.sha256()
    for own in listings:
        for files in own.values():
            for path in files:
                line = f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n"
                # A name that is no UTF-8 counts by its bytes.
                digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _listings(root: Path) -> dict[str, Listing]:
    """The image files of both parts, by class."""
    listings = {part: list_classes(root / part) for part in PARTS}
    differing = sorted(listings["train"].keys() ^ listings["test"].keys())
    if differing:
        raise AbdError(
            f"{printable(root)}: expected the same classes in train and test, got "
            f"{printable(', '.join(differing))} in one of them only"
        )
    return listings


def list_classes(folder: Path) -> Listing:
    """The image files of a folder by class; AbdError where a class, or its files, lack."""
    where = printable(folder)
    if not is_folder(folder):
        raise AbdError(f"{where}: expected a folder with one folder per class, got none")
    try:
        listing = {own.name: _images(own) for own in _classes(folder)}
    except OSError as error:
        raise AbdError(f"{where}: expected folders that can be read, got {error}") from None
    if not listing:
        raise AbdError(f"{where}: expected one folder per class, got none")
    try:
        check_class_names(list(listing))
    except ValueError as error:
        raise AbdError(f"{where}: class folders: {error}") from None
    return listing


def _classes(folder: Path) -> Iterator[Path]:
    """The folders in `folder` in order of their names; files and hidden ones are no class.

    A link that leads nowhere is an AbdError: without its class the rest would still do.
    """
    for own in sorted(folder.iterdir()):
        if own.name.startswith("."):
            continue
        if own.is_dir():
            yield own
        elif own.is_symlink() and not own.exists():
            raise AbdError(
                f"{printable(own)}: expected a folder, got a link that leads to none"
            )


def _images(folder: Path) -> list[Path]:
    """The image files of one class, sorted; AbdError where there are none."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise AbdError(
            f"{printable(folder)}: expected at least one image ({', '.join(SUFFIXES)}), "
            "got none"
        )
    for path in paths:
        if not path.is_file():
            got = "a link that leads to none" if path.is_symlink() else "no file"
            raise AbdError(f"{printable(path)}: expected an image file, got {got}")
    return paths
