"""Files that an operator gives in place of a trigger's own arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.data.npy import read_array
from abd.data.rgb import read_rgb
from abd.errors import AbdError, printable


def read_asset(path: Path) -> np.ndarray:
    """Read a picture as uint8 (H, W, 3), or the array of an .npy file as it is.

    Raises AbdError where it is neither. A transparent picture is refused: what it shows
    where nothing is to be stamped would be stamped.
    """
    if path.suffix != ".npy":
        return read_rgb(
            path, expected="an RGB or grey picture, or an .npy array", modes=("RGB", "L")
        )
    try:
        with path.open("rb") as file:
            return read_array(file)
    except (OSError, ValueError) as error:
        raise AbdError(f"{printable(path)}: {error}") from None
