"""Whether results are those that a plan asks for, as their records tell.

Whether files are what their records say, and which have none, `abd verify` tells.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from abd.config import Plan
from abd.config.jobs import job_spec
from abd.config.stage_jobs import StageJob
from abd.errors import AbdError
from abd.provenance.staleness import reasons
from abd.storage.records import NAME, read_record


class Currency:
    """What is stale of the results below the working directory, under one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._record = cache(_record)
        self._told: dict[str, str | None] = {}

    def why_stale(self, job: StageJob) -> str | None:
        """What is wrong with the results of a job; None where nothing is, or none are."""
        if job.folder not in self._told:
            self._told[job.folder] = self._why(job)
        return self._told[job.folder]

    def _why(self, job: StageJob) -> str | None:
        record = self._record(Path(job.folder))
        if record is None:
            damaged = Path(job.folder, NAME).is_file()
            return f"has a damaged {NAME}" if damaged else None
        spec = job_spec(self.plan, job.stage, job.wildcards)
        found = reasons(record, [spec], self._recorded)
        return "was " + ", and ".join(found) if found else None

    def _recorded(self, path: str) -> str | None:
        """The sha256 of a result as its record has it."""
        made = self._record(Path(path).parent)
        return None if made is None else made["outputs"].get(Path(path).name)


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        return read_record(folder / NAME)
    except AbdError:
        return None
