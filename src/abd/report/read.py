"""Reading results for reports: what is missing or damaged is said in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from abd.errors import AbdError
from abd.storage.records import check_artifact

T = TypeVar("T")
# What parsers raise where a file is whole and not what it should be.
BAD = (AbdError, ValueError, LookupError, TypeError)


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
    check_artifact(path)
    try:
        return parse(path)
    except BAD as error:
        got = " ".join(str(error).split())
        raise AbdError(
            f"{path}: damaged ({got}); make it anew with: snakemake -R {path} -- {path}"
        ) from None
