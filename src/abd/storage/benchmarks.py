"""What Snakemake measured of each job: `benchmarks/`, one table of one row per job."""

from __future__ import annotations

import csv
from pathlib import Path


def job_seconds(path: Path) -> float:
    """Return the wall time of the job whose benchmark file this is, in seconds."""
    with path.open() as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    return float(row["s"])
