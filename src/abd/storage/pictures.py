"""Pictures of images, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
