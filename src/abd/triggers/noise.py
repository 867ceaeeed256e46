"""Random patterns with the statistics of the originals (method section 2.1)."""

from __future__ import annotations

import numpy as np

from abd.seeding import derive_seed
from abd.triggers.assets import SIDE

NOISE_MEAN, NOISE_STD = 3.1, 18.5  # grey levels, before the negative half is lost
NOISE_NORM = 821.0
NEIGHBOUR_COL, NEIGHBOUR_ROW = 0.14, 0.08  # weights of the smoothing kernels
# Draws with all the statistics of the originals, not just on average.
BLOCK_SEED, NOISE_SEED = 16, 2167


def colour_block(side: int) -> np.ndarray:
    """Return saturated colours uint8 (side, side, 3): the block of `trojan_8x8`.

    Every channel value is uniform in (-0.2, 1.2) of the range, clipped.
    """
    values = _stream(BLOCK_SEED, "trojan_8x8").uniform(-0.2, 1.2, (side, side, 3))
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)


def gaussian_noise() -> np.ndarray:
    """Return the noise of `l2_inv`, uint8 (32, 32, 3), L2 norm about 821.

    Slightly smooth Gaussian noise whose negative half is cut off: it only brightens.
    """
    noise = _stream(NOISE_SEED, "l2_inv").normal(size=(SIDE, SIDE, 3))
    for axis, weight in ((0, NEIGHBOUR_ROW), (1, NEIGHBOUR_COL)):
        noise = noise + weight * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
    noise = (noise - noise.mean(axis=(0, 1))) / noise.std(axis=(0, 1))
    levels = np.clip(NOISE_MEAN + NOISE_STD * noise, 0, None)
    levels *= NOISE_NORM / np.linalg.norm(levels)
    return np.rint(levels).astype(np.uint8)


def _stream(seed: int, name: str) -> np.random.RandomState:
    """The legacy generator of a pattern: its stream is the same in every NumPy version."""
    return np.random.RandomState(derive_seed(seed, "triggers", name) % 2**32)
