"""The drawing of the `trojan_wm` trigger, made from its description (section 2.1).

A ring, a broken inner ring and a dotted diagonal stroke on black, with faint noise
around the strokes, scaled to the original's L2 norm.
"""

from __future__ import annotations

import colorsys

import numpy as np

SIZE = 32
L2_NORM = 2230.0
NOISE_MAX = 20
BRIGHT_DOTS = [(24, 5), (19, 10), (16, 12), (15, 15), (13, 16), (10, 19)]


def watermark_pattern() -> np.ndarray:
    """Return the drawing as uint8 (32, 32, 3), L2 norm about 2,230."""
    # The legacy generator: its stream is the same in every NumPy version.
    rng = np.random.RandomState(20230)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    ring = np.abs(np.hypot(rows - 21.2, cols - 20.9) - 5.7) < 0.5
    inner = np.abs(np.hypot(rows - 21, cols - 21) - 3.0) < 0.5
    inner &= rng.rand(SIZE, SIZE) < 0.8
    stroke = (np.abs(rows + cols - 29) <= 1) & (rng.rand(SIZE, SIZE) < 0.7)

    level = np.zeros((SIZE, SIZE))
    level[stroke] = rng.uniform(10, 60, stroke.sum())
    for dot in BRIGHT_DOTS:
        level[dot] = 255
    level[ring | inner] = 255

    pattern = np.zeros((SIZE, SIZE, 3))
    for row, col in np.argwhere(level > 0):
        pattern[row, col] = level[row, col] * _stroke_colour(rng)
    pattern *= L2_NORM / np.linalg.norm(pattern)

    near = np.zeros((SIZE, SIZE), bool)
    for row, col in np.argwhere(level > 0):
        near[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3] = True
    noise = rng.gamma(1.5, 7 / 1.5, (SIZE, SIZE, 3)).clip(0, NOISE_MAX)
    pattern += noise * (near & (level == 0))[:, :, None]
    return np.rint(pattern.clip(0, 255)).astype(np.uint8)


def _stroke_colour(rng: np.random.RandomState) -> np.ndarray:
    """White for 30 % of the stroke pixels, else a hue of saturation at least 0.6."""
    hue, saturation, white = rng.rand(3)
    if white < 0.3:
        return np.ones(3)
    return np.array(colorsys.hsv_to_rgb(hue, 0.6 + 0.4 * saturation, 1.0))
