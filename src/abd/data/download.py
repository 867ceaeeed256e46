"""Faults of downloads and of downloaded files, each told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from abd.errors import AbdError


@contextmanager
def reading(name: str, folder: Path, download: bool) -> Iterator[None]:
    """Turn what torchvision raises while reading `folder` into an AbdError."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        what = " ".join(str(error).split())
        mend = (
            "is there a network? Else put its files there by hand"
            if download
            else "put its files there, or set fetch.download: true"
        )
        raise AbdError(
            f"{folder}: expected {name} as torchvision lays it out, got "
            f"{type(error).__name__}: {what}; {mend}"
        ) from None
