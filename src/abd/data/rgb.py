"""One picture file as RGB: the only place where abd decodes what a user drew or took."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abd.data.decoding import decoding
from abd.errors import AbdError, printable

if TYPE_CHECKING:
    from PIL import Image

WIDE_MODES = ("I", "F")  # Pillow's modes with more than 8 bits a channel begin so


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height from a picture's header; AbdError as of `read_rgb`."""
    with _opened(path, "an image file", ()) as image:
        return image.size


def read_rgb(
    path: Path, *, expected: str = "an image file", modes: Collection[str] = ()
) -> np.ndarray:
    """Read a picture as uint8 (H, W, 3); grey is repeated, transparency left out.

    modes: those of Pillow's that are taken, or all with no more than 8 bits a channel.
    Raises AbdError naming the file, what was `expected` and what came.
    """
    with _opened(path, expected, modes) as image:
        return np.asarray(image.convert("RGB"))


def read_rgba(path: Path) -> np.ndarray:
    """Read a picture with transparency as uint8 (H, W, 4); AbdError as of `read_rgb`."""
    expected = "a picture with transparency, opaque where it covers"
    with _opened(path, expected, ()) as image:
        if not image.has_transparency_data:
            raise AbdError(
                f"{printable(path)}: expected {expected}, got one of mode {image.mode}"
            )
        return np.asarray(image.convert("RGBA"))


@contextmanager
def _opened(path: Path, expected: str, modes: Collection[str]) -> Iterator[Image.Image]:
    """Open a picture of an accepted mode; what Pillow makes of its faults is an AbdError.

    Pillow also warns, of odd metadata and of many pixels: that mends nothing.
    """
    from PIL import Image

    name = printable(path)
    try:
        with (
            decoding(expected),
            warnings.catch_warnings(action="ignore"),
            Image.open(path) as image,
        ):
            if image.mode.startswith(WIDE_MODES):
                raise AbdError(
                    f"{name}: expected 8 bits a channel, got an image of mode "
                    f"{image.mode}; save it with 8 bits"
                )
            if modes and image.mode not in modes:
                raise AbdError(f"{name}: expected {expected}, got one of mode {image.mode}")
            yield image
    except ValueError as error:
        raise AbdError(f"{name}: {error}") from None
