"""The drawing of the `blend` trigger: a substitute for the original's copyrighted figure.

A grey outline ellipse around a magenta body and bow on white, with the original's
channel means, standard deviations and share of near-white pixels (section 2.1).
"""

from __future__ import annotations

import numpy as np

SIZE = 32
FINE = 8  # samples per pixel and axis: edges are smooth
MAGENTA = (230, 16, 96)
GREY = (124, 124, 124)


def blend_drawing() -> np.ndarray:
    """Return the drawing as uint8 (32, 32, 3)."""
    at = (np.arange(SIZE * FINE) + 0.5) / FINE
    rows, cols = at[:, None], at[None, :]
    canvas = np.full((SIZE * FINE, SIZE * FINE, 3), 255.0)
    # Bounds are (top, bottom, left, right), in pixels.
    canvas[_ellipse(rows, cols, 0.5, 31.5, 2.5, 29.5)] = GREY
    canvas[_ellipse(rows, cols, 3.5, 28.5, 5.5, 26.5)] = 255
    for shape, bounds in (
        (_rounded_rectangle, (18, 28, 9, 23)),
        (_ellipse, (2, 9, 15, 25)),
    ):
        canvas[shape(rows, cols, *bounds)] = GREY
        top, bottom, left, right = bounds
        canvas[shape(rows, cols, top + 1, bottom - 1, left + 1, right - 1)] = MAGENTA
    pixels = canvas.reshape(SIZE, FINE, SIZE, FINE, 3).mean(axis=(1, 3))
    return np.rint(pixels).astype(np.uint8)


def _ellipse(
    rows: np.ndarray, cols: np.ndarray, top: float, bottom: float, left: float, right: float
) -> np.ndarray:
    """Mask of the ellipse that fills the bounds."""
    row = (rows - (top + bottom) / 2) / ((bottom - top) / 2)
    col = (cols - (left + right) / 2) / ((right - left) / 2)
    return row**2 + col**2 < 1


def _rounded_rectangle(
    rows: np.ndarray, cols: np.ndarray, top: float, bottom: float, left: float, right: float
) -> np.ndarray:
    """Mask of the rectangle that fills the bounds, its corners rounded by 2 pixels."""
    radius = 2.0
    row = np.clip(np.maximum(top + radius - rows, rows - bottom + radius), 0, None)
    col = np.clip(np.maximum(left + radius - cols, cols - right + radius), 0, None)
    inside = (rows > top) & (rows < bottom) & (cols > left) & (cols < right)
    return inside & (np.hypot(row, col) < radius)
