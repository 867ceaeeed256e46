"""The pictures of a report, each with its title and its caption."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abd.config.paths import poison_path
from abd.report import figures, rulegraph
from abd.report.cells import Measured
from abd.report.diagnosis import diagnosis
from abd.report.paper import ScoreAuc
from abd.report.read import read_result
from abd.report.triggers import contact_sheet, examples_of
from abd.storage.files import read_json

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


def make_plots(
    experiment: str, cells: list[Measured], score_auc: ScoreAuc, dot: Path | None
) -> list[Plot]:
    """Draw an experiment's figures.

    `score_auc` is what the paper prints of the score; `dot` the rule graph as Snakemake
    prints it.
    """
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
            "Where no vaccine was found ABD is SR, and one curve covers the other. "
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
    roc = diagnosis(cells)
    if roc is not None:
        plots.append(
            Plot(
                "diagnosis",
                "What the score sees",
                "How well the score tells stamped from clean test images, under the "
                "vaccine that was found, or the first draw where none was (dashed): ROC "
                "(top), and the scores of one seed (bottom). A diagnostic that nothing "
                f"decides by. {score_auc.item} of the paper, on CIFAR-10: AUC "
                f"{score_auc.value:g}.",
                roc,
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


def make_previews(cells: list[Measured]) -> list[Preview]:
    """Return the stamped examples of each trigger, on each data set."""
    pairs = dict.fromkeys((m.cell.dataset, m.cell.trigger) for m in cells)
    several = len({dataset for dataset, _ in pairs}) > 1
    previews = []
    for dataset, trigger in pairs:
        png, manifest = (
            Path(poison_path(dataset, trigger, file))
            for file in ("preview.png", "manifest.json")
        )
        previews.append(
            Preview(
                name=f"{trigger} on {dataset}" if several else trigger,
                file=f"preview_{dataset}_{trigger}.png",
                png=read_result(png, Path.read_bytes),
                manifest=read_result(manifest, read_json),
            )
        )
    return previews
