"""The plot of the score's diagnosis: its ROC on test images, and its histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abd.config.cells import Cell
from abd.config.paths import score_path, vaccine_path
from abd.report.cells import Measured
from abd.report.groups import make_groups
from abd.report.read import read_result
from abd.report.theme import ACCENT, COLOURS, INK, RULE, SETTINGS, WARNING
from abd.storage.arrays import read_arrays
from abd.storage.files import read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (3.4, 2.3)  # inches
COLUMNS = 3
N_BINS = 60
SEEDS = (COLOURS["abd"], COLOURS["sv_sr"], INK)  # none of the histograms' colours


@dataclass(frozen=True)
class Diagnosis:
    """A search's score on test images: ROC and scores; on cached ones: scores and cut."""

    cell: Cell
    auc: float
    found: bool
    roc: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    cached: np.ndarray
    weights: np.ndarray
    cut: float


def diagnosis(cells: Sequence[Measured]) -> Figure | None:
    """Draw ROCs (top) and the first seed's histograms (bottom) per group; None without."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    searched = [
        (group.name, [_read(m) for m in group.of("abd")])
        for group in make_groups(cells)
        if group.of("abd")
    ]
    if not searched:
        return None
    n_columns = min(COLUMNS, len(searched))
    n_rows = 2 * ceil(len(searched) / COLUMNS)
    with mpl.rc_context(SETTINGS):
        size = (max(5.0, PANEL[0] * n_columns), PANEL[1] * n_rows + 0.5)
        figure = Figure(size, layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for i, (name, found) in enumerate(searched):
            row, column = 2 * (i // COLUMNS), i % COLUMNS
            _draw_roc(axes[row, column], name, found)
            _draw_histogram(axes[row + 1, column], found[0])
        handles = [
            mpl.lines.Line2D([], [], color=colour, label=label)
            for label, colour in (
                ("clean test images", ACCENT),
                ("stamped", WARNING),
                ("cached surrogate images", COLOURS["sr"]),
            )
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure


def _read(measured: Measured) -> Diagnosis:
    cell = measured.cell
    assert measured.vaccine is not None
    path, vaccine = Path(score_path(cell)), Path(vaccine_path(cell))
    trial = read_result(path, lambda p: int(read_json(p)["trial"]))
    cached, weights = read_result(
        vaccine.with_name("scores.npz"),
        lambda p: (read_arrays(p)["scores"][trial], read_arrays(p)["weights"]),
    )
    return Diagnosis(
        cell=cell,
        auc=measured.vaccine.auc,
        found=measured.vaccine.found,
        roc=read_result(path.with_name("roc.npz"), lambda p: _arrays(p, "fpr", "tpr")),
        scores=read_result(
            path.with_name("scores.npz"), lambda p: _arrays(p, "clean", "stamped")
        ),
        cached=cached,
        weights=weights,
        cut=read_result(vaccine, lambda p: float(read_json(p)["trials"][trial]["cut"])),
    )


def _arrays(path: Path, *names: str) -> dict[str, np.ndarray]:
    arrays = read_arrays(path)
    return {name: arrays[name] for name in names}


def _draw_roc(ax: Axes, name: str, found: Sequence[Diagnosis]) -> None:
    ax.set_axis_on()
    ax.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    for i, d in enumerate(found):
        verdict = "" if d.found else ", no vaccine"
        ax.plot(
            d.roc["fpr"],
            d.roc["tpr"],
            color=SEEDS[i % len(SEEDS)],
            ls="-" if d.found else "--",
            lw=1.4,
            label=f"seed {d.cell.seed}: AUC {d.auc:.3f}{verdict}",
        )
    ax.set_title(name)
    ax.set_xlabel("clean images taken for stamped")
    ax.set_ylabel("stamped images found")
    ax.legend(loc="lower right", fontsize=8)


def _draw_histogram(ax: Axes, d: Diagnosis) -> None:
    ax.set_axis_on()
    kinds = (
        (d.scores["clean"], None, ACCENT),
        (d.scores["stamped"], None, WARNING),
        (d.cached, d.weights, COLOURS["sr"]),
    )
    values = np.concatenate([scores for scores, _, _ in kinds])
    edges = np.linspace(values.min(), values.max(), N_BINS + 1).tolist()
    for scores, given, colour in kinds:
        weights = np.ones(len(scores)) if given is None else given
        share = 100 * weights / weights.sum()
        ax.hist(scores, edges, weights=share, histtype="step", color=colour, lw=1.2)
    ax.axvline(d.cut, color=COLOURS["sr"], lw=1.2, ls="--")
    ax.set_xlabel("score; the dashed line is μ − 3σ of the cached")
    ax.set_ylabel(f"images, % (seed {d.cell.seed})")
