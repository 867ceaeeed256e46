"""What Snakemake, and a process for every job, cost the demo."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from abd.provenance.usage import job_seconds
from bench.timing import Figure

ROOT = Path(__file__).parents[1]
WORKFLOW = ("Snakefile", "rules", "profiles", "params.yaml", "reports/paper.yaml")
START = "import abd.stages.distill, abd.stages.watch"  # what most jobs import
N_STARTS = 3


def orchestration() -> Figure:
    """The demo from scratch, one job at a time, against its stages' own work."""
    with TemporaryDirectory() as folder:
        for name in WORKFLOW:
            source, copy = ROOT / name, Path(folder) / name
            copy.parent.mkdir(exist_ok=True)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        wall = _seconds(["snakemake", "-c1", "demo"], folder)
        jobs = [job_seconds(path) for path in Path(folder, "benchmarks").rglob("*.tsv")]
    start = statistics.median(
        _seconds([sys.executable, "-c", START]) for _ in range(N_STARTS)
    )
    work = sum(jobs) - len(jobs) * start
    return Figure(
        "orchestration",
        wall,
        "s",
        "its stages' own work",
        work,
        wall / work,
        1.25,
        {"jobs": len(jobs), "starts": len(jobs) * start, "snakemake": wall - sum(jobs)},
    )


def _seconds(command: list[str], folder: str | None = None) -> float:
    before = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - before
