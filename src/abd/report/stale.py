"""Which cells of a report are not what its params, code and results would give now.

Read from the records alone: whether files are what their records say, and which have none,
`abd verify` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from abd.config import Plan
from abd.config.cells import Cell
from abd.config.jobs import job_spec
from abd.config.paths import stage_folders
from abd.errors import AbdError
from abd.storage.records import NAME, read_record
from abd.storage.staleness import reasons

ReadRecord = Callable[[Path], dict[str, Any] | None]


def stale_cells(plan: Plan, cells: Iterable[Cell]) -> list[tuple[Cell, str]]:
    """Return the cells that are stale, each with the first of its jobs that is, and why."""
    record_of: ReadRecord = cache(_record)
    checked: dict[str, str | None] = {}
    stale = []
    for cell in cells:
        for folder, stage, wildcards in stage_folders(cell):
            if folder not in checked:
                checked[folder] = _checked(plan, folder, stage, wildcards, record_of)
            if (why := checked[folder]) is not None:
                stale.append((cell, f"{stage} {why}"))
                break
    return stale


def _checked(
    plan: Plan, folder: str, stage: str, wildcards: dict[str, str], record_of: ReadRecord
) -> str | None:
    """What is wrong with the job that made a folder; None where it is current."""
    record = record_of(Path(folder))
    if record is None:
        return f"has a damaged {NAME}" if Path(folder, NAME).is_file() else None

    def recorded(path: str) -> str | None:
        made = record_of(Path(path).parent)
        return None if made is None else made["outputs"].get(Path(path).name)

    found = reasons(record, [job_spec(plan, stage, wildcards)], recorded)
    return "was " + ", and ".join(found) if found else None


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        return read_record(folder / NAME)
    except AbdError:
        return None
