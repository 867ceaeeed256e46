"""Named random streams: every draw in abd comes from one of these.

A stream is derived from a seed and a path of names and numbers, such as
`(seed, "augment", epoch)`. So no generator state is ever saved: whoever knows the step
knows the stream, and drawing more in one place changes nothing in another.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *path: str | int) -> int:
    """Return a 63-bit seed derived from `seed` and the names in `path`."""
    text = "/".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_stream(seed: int, *path: str | int) -> np.random.Generator:
    """Return the NumPy generator of the stream `path`."""
    return np.random.default_rng(derive_seed(seed, *path))


def torch_stream(seed: int, *path: str | int) -> torch.Generator:
    """Return the torch generator (CPU) of the stream `path`."""
    import torch  # deferred: poisoning and planning use NumPy streams alone

    return torch.Generator().manual_seed(derive_seed(seed, *path))
