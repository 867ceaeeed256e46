"""One GPU for one job, on a machine whose GPUs several jobs share.

A cluster gives each job the GPUs that it asked for. On a workstation Snakemake counts jobs
(`--resources gpu=N`) but names no device: here a job takes one that no other job has, for
as long as its process lives.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from abd.errors import AbdError

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOK_AGAIN = 1.0  # seconds

_held: list[int] = []  # open until the process ends: a lock lasts as long as its file


def take_gpu(n_devices: int, say: Callable[[str], None]) -> int | None:
    """Make one of several visible GPUs the only visible one; return its index among them.

    None, and nothing changes, where there is no choice. Waits while other processes of this
    user have all of them. Where CUDA has started already it sees all of them still.
    """
    names = _visible(n_devices)
    if len(names) < 2:
        return None
    index = _wait(names, say)
    os.environ[VISIBLE] = names[index]
    return index


def _visible(n_devices: int) -> list[str]:
    given = os.environ.get(VISIBLE)
    if given is None:
        return [str(i) for i in range(n_devices)]
    return [name.strip() for name in given.split(",") if name.strip()]


def _wait(names: Sequence[str], say: Callable[[str], None]) -> int:
    # A cluster numbers the GPUs of each of its jobs from 0 on.
    job = os.environ.get("SLURM_JOB_ID", "")
    folder = Path(tempfile.gettempdir(), f"abd-gpus-{os.getuid()}-{job}")
    _make_own(folder)
    said = False
    while True:
        for index, name in enumerate(names):
            file = _open(folder / name.replace("/", "_"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            _held.append(file)
            return index
        if not said:
            say(f"waiting for a GPU: other jobs have all {len(names)}")
            said = True
        time.sleep(LOOK_AGAIN)


def _make_own(folder: Path) -> None:
    """Make a folder of this user alone; AbdError where another made one of that name.

    Its name is known to all who may write beside it.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    there = folder.lstat()
    own = stat.S_ISDIR(there.st_mode) and there.st_uid == os.getuid()
    if not own or stat.S_IMODE(there.st_mode) & 0o022:
        raise AbdError(
            f"{folder}: expected a folder that this user alone may write to, got another; "
            "remove it, or name another place for temporary files with TMPDIR"
        )


def _open(path: Path) -> int:
    """A file for a lock: never what a link points to, and nothing in it changes."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
