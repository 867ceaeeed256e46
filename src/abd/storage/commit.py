"""Which commit the code and the params are from."""

from __future__ import annotations

import subprocess


def described_commit() -> str:
    """Return Git's name of the commit, "-dirty" where it was edited; "" outside of Git."""
    command = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
