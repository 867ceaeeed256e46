"""A user's data in class folders: train/<class>/<image> and test/<class>/<image>.

Classes are numbered in the order of their folders' names, the same in both parts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from abd.data.arrays import PARTS, ArrayDataset, check_size
from abd.data.facts import Facts
from abd.data.pictures import SUFFIXES, picture_size, read_pictures
from abd.errors import AbdError

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
                f"{first}: expected a square image, got {width}x{height}; give `size` to "
                "resize all images"
            )
        size = width
        try:
            check_size(str(first), size)
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
        raise AbdError(f"{root}: {error}") from None


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
                digest.update(line.encode())
    return digest.hexdigest()[:16]


def _listings(root: Path) -> dict[str, Listing]:
    """The image files of both parts, by class."""
    listings = {part: list_classes(root / part) for part in PARTS}
    differing = sorted(listings["train"].keys() ^ listings["test"].keys())
    if differing:
        raise AbdError(
            f"{root}: expected the same classes in train and test, got "
            f"{', '.join(differing)} in one of them only"
        )
    return listings


def list_classes(folder: Path) -> Listing:
    """The image files of a folder by class; AbdError where a class, or its files, lack."""
    if not folder.is_dir():
        raise AbdError(f"{folder}: expected a folder with one folder per class, got none")
    listing = {
        own.name: sorted(p for p in own.iterdir() if p.suffix.lower() in SUFFIXES)
        for own in sorted(folder.iterdir())
        if own.is_dir() and not own.name.startswith(".")
    }
    if not listing:
        raise AbdError(f"{folder}: expected one folder per class, got none")
    for name, files in listing.items():
        if not files:
            raise AbdError(
                f"{folder / name}: expected at least one image ({', '.join(SUFFIXES)}), "
                "got none"
            )
    return listing
