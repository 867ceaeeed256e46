"""Files that one process at a time holds."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from abd.storage.files import in_words

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_Told = Callable[[str], None]


@contextmanager
def held(path: Path, waiting: _Told = lambda holder: None) -> Iterator[bool]:
    """Hold `path`; the block is told whether another process held it before.

    Waits for that process, after telling `waiting` which one it is. A lock goes with its
    process; on a network's file system, when the server has noticed. On one without locks
    the block runs all the same. The file goes with the block, and folders made for it that
    hold nothing else. Raises AbdError where the file cannot be written.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    with in_words(path):
        file, waited = _locked(path, waiting)
    try:
        yield waited
    finally:
        path.unlink(missing_ok=True)  # while it is held: it is ours
        file.close()
        with suppress(OSError):  # not where there is something in them
            for folder in made:
                folder.rmdir()


def _locked(path: Path, waiting: _Told) -> tuple[IO[str], bool]:
    waited = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+")
        except FileNotFoundError:
            continue  # whoever held it has removed its folder, too
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            waiting(file.read() or "another process")
            waited = True
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return file, waited
        if _is_at(path, file):
            file.truncate(0)
            print(f"process {os.getpid()} on {socket.gethostname()}", file=file, end="")
            file.flush()
            return file, waited
        file.close()  # whoever held it has removed it


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
