"""Runs a command that looks after Ctrl-C itself."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence


def run_in_foreground(command: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run a command to its end, however it comes, and return its exit status.

    Ctrl-C reaches the command and not this process, which would end it a moment later,
    before its jobs have saved.
    """
    # Before it starts, or Ctrl-C could come in between; no SIG_IGN: it would inherit that.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        with subprocess.Popen(command, env=env) as process:
            return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
