"""Arrays that an operator gives in place of a trigger's own, and their check."""

from __future__ import annotations

import numpy as np

SIDE = 32  # pixels of the reference's pictures, and of the procedural ones


class AssetError(ValueError):
    """A given array is not what the trigger needs; `asset` says which one."""

    def __init__(self, asset: str, message: str) -> None:
        super().__init__(message)
        self.asset = asset


def own_or_given(
    own: np.ndarray, given: np.ndarray | None, sides: tuple[int, ...] = ()
) -> np.ndarray:
    """Return a trigger's own pattern, or the one given in its place.

    Patterns are uint8 (S, S, 3), not all black, with S one of `sides` (any, if empty).
    Raises AssetError where the given one is not.
    """
    if given is None:
        return own
    side = given.shape[0] if given.ndim else 0
    wanted = " or ".join(f"{s}x{s}" for s in sorted(set(sides))) or "square"
    if given.shape != (side, side, 3) or (sides and side not in sides):
        raise AssetError("pattern", f"expected a {wanted} RGB picture, got {given.shape}")
    if given.dtype != np.uint8:
        raise AssetError("pattern", f"expected 8 bits a channel, got {given.dtype}")
    if not given.any():
        raise AssetError("pattern", "expected a pattern, got a black picture")
    return given
