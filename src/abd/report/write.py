"""Writes an experiment's report: Markdown, figures, and one self-contained page."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from abd import __version__
from abd.config import Plan, load_plan
from abd.report.cells import results_of
from abd.report.detail import Detail, make_detail
from abd.report.lists import CellList, cell_lists
from abd.report.oracle import NOTE, TITLE, Prices, make_prices
from abd.report.paper import read_paper
from abd.report.plots import Plot, Preview, make_plots, make_previews
from abd.report.table import Table, make_table, markdown
from abd.report.theme import to_png, to_svg
from abd.storage.files import write_text


@dataclass(frozen=True)
class Report:
    """What page and Markdown show alike; `reproduces` is an item of the paper."""

    experiment: str
    title: str
    reproduces: str | None
    table: Table
    lists: list[CellList]
    detail: Detail
    prices: Prices
    plots: list[Plot]
    previews: list[Preview]
    made: str


def write_report(
    params: Path,
    experiment: str,
    *,
    paper: Path,
    dot: Path | None,
    page: Path,
    table: Path,
    folder: Path,
) -> list[CellList]:
    """Write page, table and figures of an experiment; return what of it lacks or is stale.

    `paper` has the published figures; `dot` is the rule graph as Snakemake prints it;
    `folder` takes the figures as PNG.
    """
    plan = load_plan(params)
    printed = read_paper(paper, plan)
    results = results_of(plan, experiment)
    cells = results.cells
    heading = plan.top.experiments[experiment]
    report = Report(
        experiment=experiment,
        title=heading.title,
        reproduces=heading.reproduces,
        table=make_table(cells, results.missing),
        lists=cell_lists(plan, results),
        detail=make_detail(cells, printed, heading.reproduces),
        prices=make_prices(cells),
        plots=make_plots(experiment, cells, printed.score_auc, dot),
        previews=make_previews(cells),
        made=_made(experiment, plan),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for plot in report.plots:
        to_png(plot.figure, folder / f"{plot.name}.png")
    for preview in report.previews:
        (folder / preview.file).write_bytes(preview.png)
    write_text(table, _markdown(report, os.path.relpath(folder, table.parent)))
    write_text(page, _page(report))
    return report.lists


def _markdown(r: Report, figures: str) -> str:
    about = "Clean accuracy / attack success rate in percent, on the whole test set."
    if r.reproduces:
        about += f" Reproduces {r.reproduces} of the paper."
    parts = [
        f"# {r.title}\n",
        f"{about}\n",
        markdown(r.table.header(), r.table.lines()),
        f"All rows: {r.table.common}.\n",
        *_lists(r),
        "## Every model\n",
        markdown(r.detail.header(), r.detail.rows()),
        *(f"[{number}] {note}\n" for number, note in enumerate(r.detail.notes, 1)),
        *_prices(r.prices),
    ]
    for preview in r.previews:
        parts += [
            f"## {preview.name}\n",
            f"![{preview.name}]({figures}/{preview.file})\n",
        ]
    for plot in r.plots:
        parts += [
            f"## {plot.title}\n",
            f"![{plot.title}]({figures}/{plot.name}.png)\n",
            f"{plot.caption}\n",
        ]
    parts.append(f"{r.made}\n")
    return "\n".join(parts)


def _prices(prices: Prices) -> list[str]:
    if not prices.rows:
        return []
    return [f"## {TITLE}\n", markdown(prices.header(), prices.rows), f"{NOTE}\n"]


def _lists(r: Report) -> list[str]:
    return [
        part
        for own in r.lists
        for part in (f"{own.word}: {own.text}.\n", "".join(f"- {x}\n" for x in own.lines))
    ]


def _page(r: Report) -> str:
    environment = Environment(
        loader=PackageLoader("abd", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        r=r,
        price=TITLE,
        price_note=NOTE,
        plots=[(plot, Markup(to_svg(plot.figure, plot.name))) for plot in r.plots],
        previews=[(p.name, p.manifest, _data_uri(p.png)) for p in r.previews],
    )


def _made(experiment: str, plan: Plan) -> str:
    """One line on what this report is of; no time in it, so that it can be compared."""
    numerics = plan.top.numerics
    return (
        f"abd {__version__}, experiment {experiment}, budget {plan.top.budget:g}, "
        f"{numerics.device}, {numerics.threads} thread(s) a job."
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
