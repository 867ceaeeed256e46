"""What jobs took: their time, as Snakemake measured it, and samples of their machine."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from abd.config.paths import benchmark_path, system_path
from abd.errors import AbdError
from abd.storage.records import records_beside
from abd.storage.results import read_history


def job_seconds(path: Path) -> float:
    """Return the wall time of the job whose benchmark file this is, in seconds."""
    with path.open() as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    return float(row["s"])


def seconds_of(root: Path, histories: Iterable[Path]) -> float | None:
    """What the jobs took that made these histories; None where one's time is not here."""
    seconds = {}  # of each job once: what a copy is of may be among the histories itself
    for history in histories:
        made = history
        for record in records_beside([history]):  # a copy took no time; what it is of did
            made = root / record["facts"].get("reused_from", made)
        job = root / benchmark_path(str(made.relative_to(root)))
        try:
            seconds[job] = job_seconds(job)
        except (OSError, ValueError, KeyError):
            return None
    return sum(seconds.values())


def samples_of(root: Path, histories: Iterable[Path]) -> Iterator[dict[str, float]]:
    """The samples of the very jobs that wrote these histories, one after the other."""
    for history in histories:
        path = root / system_path(str(history.relative_to(root)))
        try:
            first, *samples = read_history(path)
        except (AbdError, ValueError):
            continue  # not there, or torn by a kill: a sample is not worth an error
        records = records_beside([history])
        if records and first == {"key": records[0].get("key")}:
            yield from samples
