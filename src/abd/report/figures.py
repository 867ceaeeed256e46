"""The plots of a report: curves over training, and the vaccine's scores."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abd.config.cells import GUARDS
from abd.config.paths import vaccine_path
from abd.report.cells import Measured
from abd.report.groups import Group, make_groups
from abd.report.read import read_result
from abd.report.table import TITLES
from abd.report.theme import ACCENT, COLOURS, SETTINGS, WARNING
from abd.storage.arrays import read_arrays
from abd.storage.files import read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (3.4, 1.9)  # inches
COLUMNS = 3  # panels beside each other: what a page can show without shrinking them


def curves(cells: Sequence[Measured]) -> Figure:
    """Acc and ASR over the rounds of distillation: a pair of panels per group of cells.

    Several seeds are shown as their mean, in a band of one standard deviation.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    groups = make_groups(cells)
    n_columns = min(COLUMNS, len(groups))
    n_rows = 2 * ceil(len(groups) / COLUMNS)
    with mpl.rc_context(SETTINGS):
        figure = Figure(
            (PANEL[0] * n_columns, PANEL[1] * n_rows + 0.5), layout="constrained"
        )
        axes = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for i, group in enumerate(groups):
            row, column = 2 * (i // COLUMNS), i % COLUMNS
            _curves(axes[row, column], axes[row + 1, column], group, first=column == 0)
        drawn = {m.cell.defense for m in cells}
        handles = [
            mpl.lines.Line2D([], [], color=COLOURS[d], label=TITLES[d])
            for d in GUARDS
            if d in drawn
        ]
        ncols = len(handles) if n_columns > 1 else COLUMNS
        figure.legend(handles=handles, loc="outside upper left", ncols=ncols)
    return figure


def _curves(asr: Axes, acc: Axes, group: Group, *, first: bool) -> None:
    """Draw a group's two panels; `first` of their row have the labels."""
    asr.set_title(group.name)
    acc.set_xlabel("round")
    acc.sharex(asr)
    asr.tick_params(labelbottom=False)
    for ax, label in ((asr, "ASR, %"), (acc, "Acc, %")):
        ax.set_axis_on()
        ax.set_ylim(-3, 103)
        ax.grid(axis="y")
        if first:
            ax.set_ylabel(label)
    for defense in GUARDS:
        curves = [m.curve for m in group.of(defense)]
        for ax, name in ((asr, "asr"), (acc, "acc")):
            steps, values = _points(curves, name)
            if not steps:
                continue
            mean = values.mean(axis=0)
            ax.plot(steps, mean, color=COLOURS[defense], lw=1.6)
            if len(values) > 1:
                std = values.std(axis=0, ddof=1)
                low, high = np.clip([mean - std, mean + std], 0, 100)
                ax.fill_between(steps, low, high, color=COLOURS[defense], alpha=0.18, lw=0)


def _points(
    curves: Sequence[list[dict[str, float]]], name: str
) -> tuple[list[float], np.ndarray]:
    """The steps that all curves have, and their values there, % (curves, steps)."""
    seen = [{p["step"]: p[name] for p in curve if name in p} for curve in curves]
    steps = sorted(set.intersection(*map(set, seen))) if seen else []
    return steps, 100 * np.array([[values[s] for s in steps] for values in seen])


def scores(cells: Sequence[Measured]) -> Figure | None:
    """Histogram of the cached images' scores with its cut, one panel per search."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    searched = [
        (f"{group.name}, seed {m.cell.seed}", m)
        for group in make_groups(cells)
        for m in group.members
        if m.vaccine is not None
    ]
    if not searched:
        return None
    n_columns, n_rows = min(COLUMNS, len(searched)), ceil(len(searched) / COLUMNS)
    with mpl.rc_context(SETTINGS):
        size = max(5.0, PANEL[0] * n_columns), (PANEL[1] + 0.9) * n_rows
        figure = Figure(size, layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
        for ax in axes.flat[len(searched) :]:
            ax.set_axis_off()
        for ax, (name, m) in zip(axes.flat, searched, strict=False):
            _histogram(ax, name, m)
        figure.supxlabel("score: log10 of KL(T‖T̃)/K; small is suspicious", size=9)
        figure.supylabel("images, %", size=9)
    return figure


def _histogram(ax: Axes, name: str, m: Measured) -> None:
    assert m.vaccine is not None
    path = Path(vaccine_path(m.cell))
    ratios = m.vaccine.ratios
    trial = int(np.argmax(ratios)) if m.vaccine.trial is None else m.vaccine.trial
    cut = read_result(path, lambda p: float(read_json(p)["trials"][trial]["cut"]))
    values, weights = read_result(
        path.with_name("scores.npz"),
        lambda p: (read_arrays(p)["scores"][trial], read_arrays(p)["weights"]),
    )
    edges = np.linspace(values.min(), values.max(), 61).tolist()
    share = 100 * weights / weights.sum()
    for inside, colour in (
        (values >= cut, ACCENT),
        (values < cut, WARNING),
    ):
        ax.hist(values[inside], edges, weights=share[inside], color=colour)
    ax.axvline(cut, color=WARNING, lw=1.2, ls="--")
    ax.annotate(
        f"μ − 3σ\n{100 * ratios[trial]:.2f} % below",
        (cut, ax.get_ylim()[1]),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        color=WARNING,
    )
    ax.margins(x=0.12)
    ax.locator_params(axis="x", nbins=5)
    ax.set_title(f"{name}: draw {trial + 1}")
