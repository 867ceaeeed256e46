"""A trigger that is given as one picture, whose transparency says how much it covers."""

from __future__ import annotations

import numpy as np

from abd.triggers.masked import MaskedTrigger


def picture_trigger(picture: np.ndarray, size: int) -> MaskedTrigger:
    """Lay a picture uint8 (size, size, 4) over images, each pixel by its opacity.

    Raises ValueError where it is of another size, or where nothing of it can be seen.
    """
    height, width = picture.shape[:2]
    if (height, width) != (size, size):
        raise ValueError(f"expected {size} x {size} pixels, got {height} x {width}")
    opacity = picture[:, :, 3:] / 255
    if not opacity.any():
        raise ValueError("expected a pattern, got a picture that is wholly transparent")
    mask = np.broadcast_to(opacity, (size, size, 3))
    return MaskedTrigger("picture", mask=mask, pattern=mask * picture[:, :, :3])
