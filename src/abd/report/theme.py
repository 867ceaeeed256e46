"""How figures look: one drawing for light and dark pages, and a PNG for elsewhere.

Figures are drawn in two placeholder colours for ink and rules; in the page's SVG these
become CSS variables, so that the page's theme colours them.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from abd.storage.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, RULE = "#010102", "#c8c8ca"
CSS = {INK: "var(--ink)", RULE: "var(--rule)"}
COLOURS = {
    "none": "#c8503c",
    "sv": "#3b82c4",
    "sr": "#b8860b",
    "sv_sr": "#8a63c8",
    "abd": "#2f9461",
}
ACCENT = "#3b82c4"
WARNING = "#c8503c"
SETTINGS = {
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "axes.facecolor": "none",
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def to_svg(figure: Figure, name: str) -> str:
    """Return the figure as an SVG element for the page; the same bytes every time."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, **SETTINGS}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for placeholder, variable in CSS.items():
        svg = svg.replace(placeholder, variable)
    return svg


def to_png(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG on white."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=160, facecolor="white")
