"""Pictures of images, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.data.rgb import read_rgb
from abd.errors import AbdError
from abd.storage.files import replacing

SIDE = 64  # pixels of one image in the picture, at least
GAP = 4


def write_picture(path: Path, images: np.ndarray) -> None:
    """Write uint8 images (rows, columns, H, W, 3) as one PNG, enlarged by whole factors."""
    from PIL import Image

    n_rows, n_cols, size = images.shape[:3]
    factor = max(1, -(-SIDE // size))
    large = images.repeat(factor, axis=2).repeat(factor, axis=3)
    step = size * factor + GAP
    sheet = np.zeros((n_rows * step - GAP, n_cols * step - GAP, 4), np.uint8)
    for row in range(n_rows):
        for col in range(n_cols):
            tile = sheet[row * step :, col * step :][: step - GAP, : step - GAP]
            tile[..., :3] = large[row, col]
            tile[..., 3] = 255
    with replacing(path) as temporary:
        Image.fromarray(sheet).save(temporary, "PNG")


def read_picture(path: Path, n_rows: int) -> np.ndarray:
    """Read the images of a picture of `n_rows` rows, enlarged as `write_picture` did.

    Returns uint8 (rows, columns, side, side, 3); AbdError where it is no such picture.
    """
    sheet = read_rgb(path, expected="a picture")
    step, rest = divmod(len(sheet) + GAP, n_rows)
    n_cols, rest_of_row = divmod(sheet.shape[1] + GAP, step)
    if rest or rest_of_row:
        raise AbdError(
            f"{path}: expected {n_rows} rows of square images, got {sheet.shape[:2]} pixels"
        )
    padded = np.pad(sheet, ((0, GAP), (0, GAP), (0, 0)))
    tiles = padded.reshape(n_rows, step, n_cols, step, 3).swapaxes(1, 2)
    return tiles[:, :, : step - GAP, : step - GAP]
