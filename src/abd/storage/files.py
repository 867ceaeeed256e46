"""Writing files so that a final name never holds a partial file."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from abd.errors import AbdError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MAY_NOT = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Raise AbdError in place of an OSError of the system: `path` cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        mend = "give it another place, or make this one writable"
        if error.errno in NO_ROOM:
            mend = "make room and start again: what was finished before is kept"
        elif error.errno in MAY_NOT:
            mend = "make its folder writable"
        raise AbdError(
            f"{path}: expected to write it, got {error.strerror}; {mend}"
        ) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; sync it and rename it into place.

    Where the block fails, the temporary file goes and `path` stays as it was. Raises
    AbdError where it cannot be written, or what is there is no file: a folder, a device.
    """
    with in_words(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EEXIST, "something there that is no file")
        with _replacing(path) as temporary:
            yield temporary


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file, and everything else that is no folder, below a folder.

    Links to folders are followed, to each folder once.
    """
    seen = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(root)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        yield from (Path(root, name) for name in names)


def remove_unfinished(*paths: Path) -> None:
    """Remove what writers of these files left beside them, killed before the rename."""
    for path in paths:
        _remove_unfinished(path.parent, glob.escape(path.name))


def remove_all_unfinished(folder: Path) -> None:
    """Remove what writers of any file in `folder` left there."""
    _remove_unfinished(folder, "*")


def _remove_unfinished(folder: Path, name: str) -> None:
    for left in folder.glob(f".{name}.????????"):
        left.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_text(value: Any) -> str:
    """Indented JSON with sorted keys: the same value gives the same text."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write JSON; the same value gives the same bytes."""
    write_text(path, json_text(value))


def read_json(path: Path) -> Any:
    """Read a JSON file; AbdError where it is not there, or not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AbdError(f"{path}: expected a JSON file, got {error}") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files."""
    if path.is_dir():
        digest = hashlib.sha256()
        for own in sorted(p for p in path.rglob("*") if p.is_file()):
            line = f"{own.relative_to(path).as_posix()} {sha256(own)}\n"
            digest.update(line.encode(errors="surrogateescape"))  # names as they are
        return digest.hexdigest()
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise OSError(errno.EINVAL, "neither a file nor a folder", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
