"""Which commit the code and the params are from."""

from __future__ import annotations

import subprocess
from pathlib import Path


def described_commit(folder: Path = Path()) -> str:
    """Return Git's name of a folder's commit, "-dirty" where it was edited; "" for none."""
    command = (
        "git",
        "-C",
        str(folder),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
