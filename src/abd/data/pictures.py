"""Image files as arrays of one size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from abd.errors import AbdError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp")
WIDE_MODES = ("I", "F")  # Pillow's modes with more than 8 bits a channel begin so


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file, from its header; AbdError where it has none."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except OSError as error:
        raise AbdError(f"{path}: expected an image file, got {error}") from None


def read_pictures(paths: Sequence[Path], size: int, *, resize: bool) -> np.ndarray:
    """Read image files as uint8 (N, size, size, 3); the whole image, bicubic.

    Without `resize` an image of another size is an AbdError that names its file, as is
    one that cannot be read or has more than 8 bits a channel.
    """
    from PIL import Image

    images = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        try:
            with Image.open(path) as image:
                if image.mode.startswith(WIDE_MODES):
                    raise AbdError(
                        f"{path}: expected 8 bits a channel, got an image of mode "
                        f"{image.mode}"
                    )
                picture = image.convert("RGB")
        except OSError as error:
            raise AbdError(f"{path}: expected an image file, got {error}") from None
        if picture.size != (size, size):
            if not resize:
                raise AbdError(
                    f"{path}: expected {size}x{size} pixels as in the first image, got "
                    f"{picture.width}x{picture.height}; give `size` to resize all images"
                )
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)
        images[i] = np.asarray(picture)
    return images
