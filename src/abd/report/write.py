"""Writes an experiment's report: Markdown, figures, and one self-contained page."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from abd import __version__
from abd.config import Plan, load_plan
from abd.report import figures, rulegraph
from abd.report.cells import Measured, results_of
from abd.report.read import read_result
from abd.report.table import make_table, markdown
from abd.report.theme import to_png, to_svg
from abd.report.triggers import contact_sheet, examples_of
from abd.storage.files import read_json, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """A figure with its place in the report."""

    name: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Preview:
    """Stamped examples: what of, and the picture as PNG with its name in the report."""

    name: str
    file: str
    png: bytes
    manifest: dict[str, Any]


def write_report(
    params: Path,
    experiment: str,
    *,
    dot: Path | None,
    page: Path,
    table: Path,
    folder: Path,
) -> None:
    """Write page, table and figures of an experiment whose results are all there.

    `dot` is the rule graph as Snakemake prints it; `folder` takes the figures as PNG.
    """
    plan = load_plan(params)
    cells = results_of(plan, experiment)
    title = plan.top.experiments[experiment].title
    plots = _plots(experiment, cells, dot)
    previews = _previews(cells)
    shutil.rmtree(folder, ignore_errors=True)
    for plot in plots:
        to_png(plot.figure, folder / f"{plot.name}.png")
    for preview in previews:
        (folder / preview.file).write_bytes(preview.png)
    write_text(table, _markdown(title, experiment, cells, plots, previews, plan))
    write_text(page, _page(title, experiment, cells, plots, previews, plan))


def _plots(experiment: str, cells: list[Measured], dot: Path | None) -> list[Plot]:
    plots = [
        Plot(
            "triggers",
            "Side by side",
            "One test image with every trigger; below it the teacher's Acc / ASR, %.",
            contact_sheet(examples_of(cells)),
        ),
        Plot(
            "curves",
            "Over training",
            "Attack success (top) and clean accuracy (bottom) while the student learns; "
            "of several seeds the mean, in a band of one standard deviation. "
            "Only the monitor looks at test data; nothing learns from it.",
            figures.curves(cells),
        ),
    ]
    histogram = figures.scores(cells)
    if histogram is not None:
        plots.append(
            Plot(
                "scores",
                "The vaccine search",
                "Scores of the cached surrogate images under the draw that was taken, or "
                "the one with the heaviest tail. A vaccine needs more than the threshold "
                "below the cut.",
                histogram,
            )
        )
    if dot is not None:
        plots.append(
            Plot(
                "rulegraph",
                "How it was made",
                "The rules that made this report. Edges implied by others are left out.",
                read_result(dot, lambda p: rulegraph.draw(p.read_text(), experiment)),
            )
        )
    return plots


def _previews(cells: list[Measured]) -> list[Preview]:
    """The stamped examples of each trigger, on each data set."""
    pairs = dict.fromkeys((m.cell.dataset, m.cell.trigger) for m in cells)
    several = len({dataset for dataset, _ in pairs}) > 1
    previews = []
    for dataset, trigger in pairs:
        folder = Path(f"results/poison/{dataset}/{trigger}")
        previews.append(
            Preview(
                name=f"{trigger} on {dataset}" if several else trigger,
                file=f"preview_{dataset}_{trigger}.png",
                png=read_result(folder / "preview.png", Path.read_bytes),
                manifest=read_result(folder / "manifest.json", read_json),
            )
        )
    return previews


def _markdown(
    title: str,
    experiment: str,
    cells: list[Measured],
    plots: list[Plot],
    previews: list[Preview],
    plan: Plan,
) -> str:
    table = make_table(cells)
    parts = [
        f"# {title}\n",
        "Clean accuracy / attack success rate in percent, on the whole test set.\n",
        markdown(table),
        f"All rows: {table.common}.\n",
    ]
    for preview in previews:
        parts += [
            f"## {preview.name}\n",
            f"![{preview.name}](../figures/{experiment}/{preview.file})\n",
        ]
    for plot in plots:
        parts += [
            f"## {plot.title}\n",
            f"![{plot.title}](../figures/{experiment}/{plot.name}.png)\n",
            f"{plot.caption}\n",
        ]
    parts.append(f"{_made(experiment, plan)}\n")
    return "\n".join(parts)


def _page(
    title: str,
    experiment: str,
    cells: list[Measured],
    plots: list[Plot],
    previews: list[Preview],
    plan: Plan,
) -> str:
    environment = Environment(
        loader=PackageLoader("abd", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        title=title,
        experiment=experiment,
        table=make_table(cells),
        plots=[(plot, Markup(to_svg(plot.figure, plot.name))) for plot in plots],
        previews=[(p.name, p.manifest, _data_uri(p.png)) for p in previews],
        made=_made(experiment, plan),
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
