"""Resizing of full-image patterns: bilinear with antialiasing, in NumPy alone."""

from __future__ import annotations

import numpy as np

from abd.triggers.base import to_uint8


def _weights(n_in: int, n_out: int) -> np.ndarray:
    """Return the triangle-filter matrix (n_out, n_in) of one axis; rows sum to 1."""
    scale = n_in / n_out
    support = max(scale, 1.0)
    centres = (np.arange(n_out) + 0.5) * scale
    distance = np.abs(np.arange(n_in) + 0.5 - centres[:, None]) / support
    weights = np.clip(1 - distance, 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


def resize_pattern(pattern: np.ndarray, size: int) -> np.ndarray:
    """Resize a square uint8 pattern (S, S, 3) to (size, size, 3), rounded."""
    if len(pattern) == size:
        return pattern
    w = _weights(len(pattern), size)
    resized = np.einsum("ir,rck,jc->ijk", w, pattern.astype(np.float64), w)
    return to_uint8(np.rint(resized))
