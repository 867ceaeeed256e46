"""The faults of foreign decoders, of zip files, arrays and pictures, as one kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from abd.errors import AbdError, printable


@contextmanager
def decoding(expected: str) -> Iterator[None]:
    """Turn what a decoder raises into a ValueError of one line; AbdErrors pass.

    A file that is damaged, or was made to do harm, brings decoders to raise nearly
    anything (struct.error, IndexError, NotImplementedError, MemoryError, ...), so
    everything is caught: keep all but the decoder out of the block.
    """
    try:
        yield
    except AbdError:
        raise
    except Exception as error:
        fault = printable(" ".join(str(error).split())) or type(error).__name__
        raise ValueError(f"expected {expected}, got {fault}") from None
