"""Image files as arrays of one size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from abd.data.rgb import read_rgb
from abd.errors import AbdError, printable

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp")


def read_pictures(paths: Sequence[Path], size: int, *, resize: bool) -> np.ndarray:
    """Read image files as uint8 (N, size, size, 3); the whole image, bicubic.

    Without `resize` an image of another size is an AbdError that names its file, as is
    one that cannot be read or has more than 8 bits a channel.
    """
    from PIL import Image

    images = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        picture = read_rgb(path)
        height, width = picture.shape[:2]
        if (height, width) == (size, size):
            images[i] = picture
            continue
        if not resize:
            raise AbdError(
                f"{printable(path)}: expected {size}x{size} pixels as in the first image, "
                f"got {width}x{height}; give `size` to resize all images"
            )
        resized = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)
        images[i] = np.asarray(resized)
    return images
