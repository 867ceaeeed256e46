"""Files that an operator gives in place of a trigger's own arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.errors import AbdError


def read_asset(path: Path) -> np.ndarray:
    """Read a picture as uint8 (H, W, 3), or the array of an .npy file as it is.

    Raises AbdError where it is neither.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        with Image.open(path) as image:
            if image.mode not in ("RGB", "L"):
                raise ValueError(f"mode {image.mode}")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, UnidentifiedImageError) as error:
        raise AbdError(
            f"{path}: expected an RGB or grey picture, or an .npy array, got {error}"
        ) from None
