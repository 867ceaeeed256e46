"""The table in the terminal, and where the page is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from abd.config import load_plan
from abd.errors import AbdError
from abd.report.cells import measured
from abd.report.table import make_table


def show(params: Path, *, only_finished: bool = False) -> None:
    """Print the table of every experiment in `run`.

    One that has not run yet is passed over with `only_finished`, else an AbdError.
    """
    plan = load_plan(params)
    console = Console(highlight=False)
    for experiment in plan.top.run:
        try:
            table = make_table(measured(plan.wanted(experiment)))
        except FileNotFoundError as error:
            if only_finished:
                continue
            raise AbdError(
                f"{error.filename}: expected the results of {experiment}, got no file; "
                f"make them with: snakemake -c2 {experiment}"
            ) from None
        title = plan.top.experiments[experiment].title
        shown = RichTable(title=f"{title} (Acc / ASR, %)", title_justify="left")
        for column in table.header():
            shown.add_column(column)
        for line in table.lines():
            shown.add_row(*line)
        console.print(shown)
        page = Path(f"reports/pages/{experiment}.html")
        if page.is_file():
            console.print(f"report: {page}", soft_wrap=True)
