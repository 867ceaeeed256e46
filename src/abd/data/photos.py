"""Single photographs, the raw material of OOD patches: embedded ones, or any file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.data.rgb import read_rgb
from abd.errors import AbdError, printable

EMBEDDED = ("china", "flower")  # the two that ship with scikit-learn, 427x640


def load_photo(name: str) -> np.ndarray:
    """Read a photograph as uint8 (H, W, 3): an embedded one by name, or a file by path.

    Raises AbdError where the file cannot be read as an image, or shows one colour only:
    all its patches would be alike, and a student would learn nothing from them.
    """
    if name in EMBEDDED:
        from sklearn.datasets import load_sample_image

        return np.array(load_sample_image(f"{name}.jpg"))
    expected = f"{' or '.join(EMBEDDED)}, or a readable image file"
    photo = read_rgb(Path(name), expected=expected)
    if (photo == photo[0, 0]).all():
        raise AbdError(
            f"{printable(name)}: expected a photograph, got one colour, RGB "
            f"{photo[0, 0].tolist()}"
        )
    return photo
