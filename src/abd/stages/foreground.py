"""Runs a command that looks after Ctrl-C itself."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence

PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def run_in_foreground(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    pass_fds: Sequence[int] = (),
    asked: list[int] | None = None,
) -> int:
    """Run a command to its end, however it comes, and return its exit status.

    Ctrl-C reaches the command and not this process, which would end it a moment later,
    before its jobs have saved. What asks this process alone to end is passed on. `pass_fds`
    stay open in the command; the signals that came are added to `asked`.
    """
    came = [] if asked is None else asked
    process: subprocess.Popen[bytes] | None = None

    def note(number: int, _frame: object) -> None:
        came.append(number)
        if process is not None and number in PASSED_ON:
            process.send_signal(number)

    # Before it starts, or one could come in between; no SIG_IGN: it would inherit that.
    kinds = (signal.SIGINT, *PASSED_ON)
    before = {kind: signal.signal(kind, note) for kind in kinds}
    try:
        with subprocess.Popen(command, env=env, pass_fds=pass_fds) as process:
            for number in set(came) & set(PASSED_ON):  # while it started
                process.send_signal(number)
            return process.wait()
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
