"""What a reader of raw data is told: where they lie, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Raw:
    """Where raw data lie, and the images that are wanted.

    root: the folder of downloads. download: whether what is not there may be fetched.
    size: side in pixels that images are resized to; None keeps what the data set has.
    """

    root: Path = Path("data")
    download: bool = False
    size: int | None = None
