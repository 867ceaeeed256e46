"""What programs read: `reports/summary.json`, and the figures alone for DVC."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from abd.config import load_plan
from abd.config.cells import Cell
from abd.report.cells import results_of
from abd.report.paper import read_paper
from abd.storage.files import read_json, write_json


def write_summary(params: Path, paper: Path, out: Path) -> None:
    """Write the records of all experiments in `run`, beside the figures of `paper`."""
    plan = load_plan(params)
    printed = read_paper(paper, plan)
    records = []
    for name in plan.studies(plan.top.run):
        item = plan.top.experiments[name].reproduces
        for m in results_of(plan, name).whole():
            records.append(m.record(name, printed.student(m.cell, item)))
    write_json(out, records)


def write_metrics(summary: Path, metrics: Path, plot: Path) -> None:
    """Write Acc and ASR of a summary's models as DVC reads them.

    metrics: by experiment, and by the model's path below `results/evaluate`, for `dvc
    metrics`; plot: a table of the same, in percent, for `dvc plots`.
    """
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for record in read_json(summary):
        cell = Cell(**{f.name: record[f.name] for f in fields(Cell)})
        teacher, student = (
            f"{cell.teacher_key}/teacher",
            f"{cell.student_key}/{cell.defense}",
        )
        of = figures.setdefault(record["experiment"], {})
        of[teacher] = {"acc": record["teacher_acc"], "asr": record["teacher_asr"]}
        of[student] = {"acc": record["acc"], "asr": record["asr"]}
    write_json(metrics, figures)
    rows = [
        {
            "model": f"{experiment}: {model}",
            **{k: round(100 * v, 2) for k, v in own.items()},
        }
        for experiment, models in figures.items()
        for model, own in models.items()
    ]
    write_json(plot, rows)
