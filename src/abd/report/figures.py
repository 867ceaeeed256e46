"""The plots of a report: curves over training, and the vaccine's scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abd.config.cells import GUARDS, Cell
from abd.config.paths import history_paths
from abd.report.cells import Measured, vaccine_path
from abd.report.table import TITLES
from abd.report.theme import ACCENT, COLOURS, SETTINGS, WARNING
from abd.storage.arrays import read_arrays
from abd.storage.files import read_json
from abd.storage.results import read_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (3.4, 1.9)  # inches


def curves(cells: Sequence[Measured]) -> Figure:
    """Acc and ASR over the rounds of distillation: a column per teacher and source."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    groups: dict[tuple[str, str], list[Cell]] = {}
    for m in cells:
        groups.setdefault((m.cell.trigger, m.cell.source), []).append(m.cell)
    with mpl.rc_context(SETTINGS):
        figure = Figure((PANEL[0] * len(groups), 2 * PANEL[1] + 0.5), layout="constrained")
        axes = figure.subplots(2, len(groups), sharex="col", sharey=True, squeeze=False)
        for column, ((trigger, source), members) in enumerate(groups.items()):
            axes[0, column].set_title(f"{trigger}, {source}")
            for cell in sorted(members, key=lambda c: list(GUARDS).index(c.defense)):
                points = _points(cell)
                for row, name in enumerate(("asr", "acc")):
                    _line(axes[row, column], points, name, cell.defense)
            axes[1, column].set_xlabel("round")
        for row, label in enumerate(("ASR, %", "Acc, %")):
            axes[row, 0].set_ylabel(label)
            for ax in axes[row]:
                ax.set_ylim(-3, 103)
                ax.grid(axis="y")
        drawn = dict.fromkeys(m.cell.defense for m in cells)
        handles = [
            mpl.lines.Line2D([], [], color=COLOURS[d], label=TITLES[d])
            for d in GUARDS
            if d in drawn
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure


def _points(cell: Cell) -> list[dict[str, float]]:
    return read_curve(map(Path, history_paths(cell)))


def _line(ax: Axes, points: Iterable[dict[str, float]], name: str, defense: str) -> None:
    seen = [(p["step"], 100 * p[name]) for p in points if name in p]
    if seen:
        ax.plot(*zip(*seen, strict=True), color=COLOURS[defense], lw=1.6)


def scores(cells: Sequence[Measured]) -> Figure | None:
    """Histogram of the cached images' scores with its cut, one panel per search."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    searched = [m for m in cells if m.vaccine is not None]
    if not searched:
        return None
    with mpl.rc_context(SETTINGS):
        n = len(searched)
        figure = Figure((max(5.0, PANEL[0] * n), PANEL[1] + 0.9), layout="constrained")
        for ax, m in zip(figure.subplots(1, n, squeeze=False)[0], searched, strict=True):
            _histogram(ax, m)
    return figure


def _histogram(ax: Axes, m: Measured) -> None:
    assert m.vaccine is not None
    path = vaccine_path(m.cell)
    ratios = m.vaccine.ratios
    trial = int(np.argmax(ratios)) if m.vaccine.trial is None else m.vaccine.trial
    tail = read_json(path)["trials"][trial]
    arrays = read_arrays(path.with_name("scores.npz"))
    values, weights = arrays["scores"][trial], arrays["weights"]
    edges = np.linspace(values.min(), values.max(), 61).tolist()
    share = 100 * weights / weights.sum()
    for inside, colour in (
        (values >= tail["cut"], ACCENT),
        (values < tail["cut"], WARNING),
    ):
        ax.hist(values[inside], edges, weights=share[inside], color=colour)
    ax.axvline(tail["cut"], color=WARNING, lw=1.2, ls="--")
    ax.annotate(
        f"μ − 3σ\n{100 * tail['ratio']:.2f} % below",
        (tail["cut"], ax.get_ylim()[1]),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        color=WARNING,
    )
    ax.margins(x=0.12)
    ax.set_title(f"{m.cell.trigger}, {m.cell.source}, seed {m.cell.seed}: draw {trial + 1}")
    ax.set_xlabel("score: log10 of KL(T‖T̃)/K; small is suspicious")
    ax.set_ylabel("images, %")
