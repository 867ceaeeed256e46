"""The drawing of the `trojan_wm` trigger, made from its description (section 2.1).

A ring, a broken inner ring and a dotted diagonal stroke on black, with faint noise
around them. Counts of pixels are exact; the bright ones are scaled to the L2 norm.
"""

from __future__ import annotations

import colorsys

import numpy as np

SIZE = 32
L2_NORM = 2228.0
N_RING, N_INNER, N_FAINT = 33, 16, 266
BRIGHT_DOTS = ((24, 5), (19, 10), (16, 12), (15, 15), (13, 16), (10, 19))
RED, CYAN_GREEN = (0.92, 1.02), (0.38, 0.54)  # hues, of a circle of length 1
WHITE_SHARE = 0.3
STROKE_MAX, NOISE_MAX = 60, 20


def watermark_pattern() -> np.ndarray:
    """Return the drawing as uint8 (32, 32, 3): 321 pixels are not black, 55 are bright."""
    # The legacy generator: its stream is the same in every NumPy version.
    rng = np.random.RandomState(20230)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    ring = _lowest(np.abs(np.hypot(rows - 21.2, cols - 20.9) - 5.7), N_RING)
    # The jitter breaks the inner ring: a pixel more than radius 3 needs has to go.
    jitter = rng.uniform(0, 0.6, (SIZE, SIZE))
    inner = _lowest(np.abs(np.hypot(rows - 21, cols - 21) - 3) + jitter, N_INNER)
    dots = np.zeros((SIZE, SIZE), bool)
    dots[tuple(np.transpose(BRIGHT_DOTS))] = True
    bright = ring | inner | dots
    stroke = (np.abs(rows + cols - 29) <= 1) & ~bright
    noise = _nearest(bright | stroke, N_FAINT - int(stroke.sum()))

    pattern = np.zeros((SIZE, SIZE, 3))
    pattern[ring] = _inks(rng, N_RING, (RED, CYAN_GREEN))
    pattern[inner] = _inks(rng, N_INNER, (RED,))
    pattern[dots] = _inks(rng, len(BRIGHT_DOTS), (RED, CYAN_GREEN), white_share=0)
    n_stroke = int(stroke.sum())
    levels = rng.uniform(0.02, 1.2, (n_stroke, 1)).clip(max=1) * STROKE_MAX / 255
    pattern[stroke] = levels * _inks(rng, n_stroke, (RED, CYAN_GREEN), white_share=0)
    pattern[noise] = rng.gamma(0.6, 4.0, (int(noise.sum()), 3)).clip(1, NOISE_MAX)

    faint_energy = np.square(pattern[~bright]).sum()
    pattern[bright] *= np.sqrt(
        (L2_NORM**2 - faint_energy) / np.square(pattern[bright]).sum()
    )
    return np.rint(pattern.clip(0, 255)).astype(np.uint8)


def _lowest(values: np.ndarray, n: int) -> np.ndarray:
    """Mask of the `n` lowest of `values` (H, W)."""
    mask = np.zeros(values.size, bool)
    mask[np.argsort(values, axis=None, kind="stable")[:n]] = True
    return mask.reshape(values.shape)


def _nearest(strokes: np.ndarray, n: int) -> np.ndarray:
    """Mask of the `n` pixels outside `strokes` (H, W) that lie nearest to them."""
    here = np.argwhere(np.ones_like(strokes))
    away = here[:, None] - np.argwhere(strokes)
    distance = np.square(away).sum(axis=2).min(axis=1).reshape(strokes.shape).astype(float)
    distance[strokes] = np.inf
    return _lowest(distance, n)


def _inks(
    rng: np.random.RandomState,
    n: int,
    hues: tuple[tuple[float, float], ...],
    white_share: float = WHITE_SHARE,
) -> np.ndarray:
    """Draw colours (n, 3) up to 255: whites, else `hues` of saturation at least 0.6."""
    inks = np.full((n, 3), 255.0)
    for i in rng.permutation(n)[round(white_share * n) :]:
        low, high = hues[rng.randint(len(hues))]
        hue, saturation, value = rng.uniform([low, 0.6, 0.6], [high, 1.0, 1.0])
        inks[i] = 255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return inks
