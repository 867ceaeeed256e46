"""Reading results for reports: what is missing or damaged is said in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

from abd.errors import AbdError
from abd.storage.records import check_artifact, record_path

T = TypeVar("T")
# What parsers raise where a file is not what it should be.
BAD = (ValueError, LookupError, TypeError, OSError, EOFError, BadZipFile)


class NotMadeError(AbdError):
    """A result that is not there: its stage has not run."""

    def __init__(self, path: Path, wanted: str = "a result", target: str = "") -> None:
        super().__init__(
            f"{path}: expected {wanted}, got no file; "
            f"make it with: snakemake -c2 {target or path}"
        )
        self.path = path


def read_result(path: Path, parse: Callable[[Path], T]) -> T:
    """Parse a result after comparing it with its record.

    Raises NotMadeError where there is no such file, AbdError where it or its record is
    damaged.
    """
    if not path.is_file():
        raise NotMadeError(path)
    _parsed(record_path(path), "a record", path, lambda _: check_artifact(path))
    return _parsed(path, "a result", path, parse)


def _parsed(path: Path, wanted: str, target: Path, parse: Callable[[Path], T]) -> T:
    try:
        return parse(path)
    except BAD as error:
        got = " ".join(f"{type(error).__name__}: {error}".split())
        raise AbdError(
            f"{path}: damaged: expected {wanted}, got {got}; "
            f"make it anew with: snakemake -R {target} -- {target}"
        ) from None
