"""One array in NumPy's format: an .npy file, or a member of an .npz file.

Not by `np.load`, which takes a file of any other kind for a pickle and advises to allow it.
"""

from __future__ import annotations

from typing import IO

import numpy as np

from abd.data.decoding import decoding

Header = tuple[tuple[int, ...], np.dtype]


def read_header(file: IO[bytes]) -> Header:
    """Shape and dtype of an array, without its contents; ValueError where it has none."""
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    except Exception:  # not in NumPy's words, which may advise to unpickle the file
        raise ValueError(
            "expected an .npy array, got something else, or a damaged one"
        ) from None
    return shape, dtype


def read_array(file: IO[bytes]) -> np.ndarray:
    """Read a whole array; ValueError where it is damaged, or holds Python objects."""
    _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("expected numbers or text, got Python objects")
    file.seek(0)
    with decoding("a whole array"):
        return np.lib.format.read_array(file, allow_pickle=False)
