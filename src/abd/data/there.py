"""Whether there is something at a path, whatever was written for one.

`Path.is_file` and `Path.is_dir` raise where a path is too long, holds a NUL byte or leads
through a folder that may not be read; there is nothing to be had at any of these.
"""

from __future__ import annotations

from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether there is a file at `path`."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
