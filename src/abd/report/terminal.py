"""The table in the terminal, and where the page is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from abd.config import load_plan
from abd.report.cells import results_of
from abd.report.detail import Detail, make_detail
from abd.report.lists import cell_lists
from abd.report.paper import read_paper
from abd.report.read import NotMadeError
from abd.report.table import make_table

# Titles in fewer letters, for the terminal's columns.
SHORT = {"Acc": "Acc, %", "ASR": "ASR, %", "95 % interval": "95 %"}


def show(
    params: Path,
    paper: Path,
    experiments: Sequence[str] = (),
    *,
    only_finished: bool = False,
) -> None:
    """Print the tables of experiments, or of those in `run` where none is named.

    One that has not run yet is passed over with `only_finished`, else an AbdError.
    """
    plan = load_plan(params)
    printed = read_paper(paper, plan)
    console = Console(highlight=False)
    for name in experiments or plan.studies(plan.top.run):
        try:
            results = results_of(plan, name)
        except NotMadeError:
            if only_finished:
                continue
            raise
        experiment = plan.top.experiments[name]
        table = make_table(results.cells)
        detail = make_detail(results.cells, printed, experiment.reproduces)
        console.print()
        console.print(experiment.title, style="bold")
        console.print(table.common, style="dim")
        console.print(_models(detail))
        for number, note in enumerate(detail.notes, 1):
            console.print(f"\\[{number}] {note}")
        for row in table.rows:
            if row.vaccine:
                console.print(f"{row.name}: vaccine {row.vaccine}")
        for own in cell_lists(plan, results):
            console.print(f"{own.word.lower()}: {own.text}")
            for line in own.lines:
                console.print(f"  {line}")
        page = Path(f"reports/pages/{name}.html")
        if page.is_file():
            console.print(f"report: {page}", soft_wrap=True)


def _models(detail: Detail) -> RichTable:
    """A line per model, under the name of its row: what 80 columns have room for."""
    shown = RichTable(box=SIMPLE, padding=(0, 1, 0, 0))
    for title in detail.header()[len(detail.keys) :]:
        left = title == "model"
        shown.add_column(SHORT.get(title, title), justify="left" if left else "right")
    for name, lines in groupby(detail.lines, lambda line: line.name):
        shown.add_section()
        shown.add_row(name, style="bold")
        for line in lines:
            model, *figures = map(escape, line.entries(with_paper=detail.with_paper))
            shown.add_row(f"  {model}", *figures)
    return shown
