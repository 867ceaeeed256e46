"""Resizing of full-image patterns: bilinear, smoothed first where it shrinks.

The reference resizes with scikit-image, whose Gaussian has sigma = (factor - 1) / 2, is
cut off at 4 sigma and mirrors the border (method section 2.1). Here in NumPy alone.
"""

from __future__ import annotations

import numpy as np

from abd.triggers.base import to_uint8


def resize_pattern(pattern: np.ndarray, size: int) -> np.ndarray:
    """Resize a square uint8 pattern (S, S, 3) to (size, size, 3), rounded."""
    side = len(pattern)
    if side == size:
        return pattern
    w = _bilinear(side, size) @ _gaussian(side, max(0.0, (side / size - 1) / 2))
    resized = np.einsum("ir,rck,jc->ijk", w, pattern.astype(np.float64), w)
    return to_uint8(np.rint(resized))


def _gaussian(n: int, sigma: float) -> np.ndarray:
    """Return the matrix (n, n) that smooths one axis; the border pixel is the mirror."""
    matrix = np.zeros((n, n))
    reach = int(4 * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2) if sigma else np.ones(1)
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        np.add.at(matrix, (np.arange(n), _mirrored(np.arange(n) + offset, n)), weight)
    return matrix


def _bilinear(n_in: int, n_out: int) -> np.ndarray:
    """Return the matrix (n_out, n_in) that samples one axis at the new pixels' centres."""
    at = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    low = np.floor(at).astype(int)
    matrix = np.zeros((n_out, n_in))
    rows = np.arange(n_out)
    np.add.at(matrix, (rows, _mirrored(low, n_in)), 1 - (at - low))
    np.add.at(matrix, (rows, _mirrored(low + 1, n_in)), at - low)
    return matrix


def _mirrored(idx: np.ndarray, n: int) -> np.ndarray:
    """Fold indices outside 0..n-1 back inside, at the border pixels' centres."""
    period = max(2 * (n - 1), 1)
    idx = np.abs(idx) % period
    return np.where(idx < n, idx, period - idx)
