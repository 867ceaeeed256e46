"""Single photographs, the raw material of OOD patches: embedded ones, or any file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.errors import AbdError

EMBEDDED = ("china", "flower")  # the two that ship with scikit-learn, 427x640


def load_photo(name: str) -> np.ndarray:
    """Read a photograph as uint8 (H, W, 3): an embedded one by name, or a file by path.

    Raises AbdError where the file cannot be read as an image.
    """
    from PIL import Image, UnidentifiedImageError

    if name in EMBEDDED:
        from sklearn.datasets import load_sample_image

        return np.array(load_sample_image(f"{name}.jpg"))
    path = Path(name)
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise AbdError(
            f"photo {name}: expected {' or '.join(EMBEDDED)}, or a readable image file "
            f"({error})"
        ) from None
