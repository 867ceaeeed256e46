"""One process at a time makes a job's results, whoever started it."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from abd.errors import AbdError
from abd.storage.files import in_words

LOCK = "lock"


@contextmanager
def alone(folder: Path, stage: str) -> Iterator[None]:
    """Hold the lock of a job in the folder of its working checkpoints.

    Raises AbdError where another process holds it. It is gone with the process, however
    that ends. Where the file system has no locks the job goes on without.
    """
    path = folder / LOCK
    with in_words(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path, stage)
    try:
        yield
    finally:
        path.unlink(
            missing_ok=True
        )  # before the lock is given up: whoever waits looks anew
        file.close()


def _locked(path: Path, stage: str) -> IO[str]:
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read() or "another process"
            raise AbdError(
                f"{stage}: expected to be the only one at work in {path.parent}, got "
                f"{holder}, which makes the same; wait for it, or end it"
            ) from None
        except OSError:
            return file
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            file.truncate(0)
            print(f"process {os.getpid()} on {socket.gethostname()}", file=file, end="")
            file.flush()
            return file
        file.close()  # whoever held it has removed it
