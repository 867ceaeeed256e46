"""`reports/summary.json`: one record per cell, for programs."""

from __future__ import annotations

from pathlib import Path

from abd.config import load_plan
from abd.report.cells import results_of
from abd.storage.files import write_json


def write_summary(params: Path, out: Path) -> None:
    """Write the records of all experiments in `run`."""
    plan = load_plan(params)
    records = [
        cell.record(experiment)
        for experiment in plan.top.run
        for cell in results_of(plan, experiment)
    ]
    write_json(out, records)
