"""The table in the terminal, and where the page is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from abd.config import load_plan
from abd.report.cells import results_of
from abd.report.read import NotMadeError
from abd.report.table import TITLES, Table, make_table


def show(
    params: Path, experiments: Sequence[str] = (), *, only_finished: bool = False
) -> None:
    """Print the tables of experiments, or of those in `run` where none is named.

    One that has not run yet is passed over with `only_finished`, else an AbdError.
    """
    plan = load_plan(params)
    console = Console(highlight=False)
    for experiment in experiments or plan.top.run:
        try:
            table = make_table(results_of(plan, experiment))
        except NotMadeError:
            if only_finished:
                continue
            raise
        console.print()
        console.print(plan.top.experiments[experiment].title, style="bold")
        console.print(table.common, style="dim")
        console.print(_rows(table))
        for row in table.rows:
            if row.vaccine:
                console.print(f"{row.name}: vaccine {row.vaccine}")
        page = Path(f"reports/pages/{experiment}.html")
        if page.is_file():
            console.print(f"report: {page}", soft_wrap=True)


def _rows(table: Table) -> RichTable:
    """A line per model, under the name of its row: what 80 columns have room for."""
    shown = RichTable(box=SIMPLE)
    shown.add_column("model")
    for column in ("Acc, %", "ASR, %"):
        shown.add_column(column, justify="right")
    for row in table.rows:
        shown.add_section()
        shown.add_row(row.name, style="bold")
        models = ["teacher", *(TITLES[defense] for defense in table.defenses)]
        for model, pair in zip(models, (row.teacher, *row.students), strict=True):
            if pair:
                shown.add_row(f"  {model}", *pair.split(" / "))
    return shown
