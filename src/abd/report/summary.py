"""`reports/summary.json`: one record per cell, for programs."""

from __future__ import annotations

from pathlib import Path

from abd.config import load_plan
from abd.report.cells import results_of
from abd.report.paper import read_paper
from abd.storage.files import write_json


def write_summary(params: Path, paper: Path, out: Path) -> None:
    """Write the records of all experiments in `run`, beside the figures of `paper`."""
    plan = load_plan(params)
    printed = read_paper(paper, plan)
    records = []
    for name in plan.top.run:
        item = plan.top.experiments[name].reproduces
        for m in results_of(plan, name).whole():
            records.append(m.record(name, printed.student(m.cell, item)))
    write_json(out, records)
