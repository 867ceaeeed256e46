"""How sure a rate is that was counted."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson(n_hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a rate, two fractions, from hits among `n`.

    Wilson, J. Am. Stat. Assoc. 22 (1927) 209; without continuity correction.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, spread = n_hits / n, z * z / n
    middle = rate + spread / 2
    half = z * sqrt(rate * (1 - rate) / n + spread / (4 * n))
    low, high = ((middle + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)
