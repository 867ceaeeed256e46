"""The rule graph as a picture, from Snakemake's DOT."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import TYPE_CHECKING

from abd.report.theme import ACCENT, INK, RULE, SETTINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOX = (1.55, 0.34)  # inches
STEP = (1.75, 0.68)
LANE = 0.3  # the width of a layer that an edge takes where it passes
WAYPOINT = "via "
SWEEPS = 4

Edge = tuple[str, str]


def parse(dot: str) -> tuple[dict[str, str], list[Edge]]:
    """Return rule names by node, and edges (from, to), of `snakemake --rulegraph dot`.

    Raises ValueError where there is no whole graph.
    """
    if not re.fullmatch(r"digraph.*\}\s*", dot, re.DOTALL):
        raise ValueError("no whole graph")
    nodes = dict(re.findall(r'^\s*(\d+)\[label = "([^"]+)"', dot, re.MULTILINE))
    edges = re.findall(r"^\s*(\d+) -> (\d+)", dot, re.MULTILINE)
    return nodes, [edge for edge in edges if edge[0] != edge[1]]


def layers(nodes: Iterable[str], edges: list[Edge]) -> tuple[list[list[str]], list[Edge]]:
    """Put every node one layer above the first that takes from it.

    An edge over several layers goes through a waypoint in each, shared with the others
    to its end; so every edge that is returned joins neighbouring layers.
    """
    level = dict.fromkeys(nodes, 0)  # counted from the last
    for _ in level:  # at most as many rounds as the longest path is long
        for start, end in edges:
            level[start] = max(level[start], level[end] + 1)
    short: dict[Edge, None] = {}
    for start, end in edges:
        last = start
        for between in range(level[start] - 1, level[end], -1):
            waypoint = f"{WAYPOINT}{end}/{between}"
            level[waypoint] = between
            short[last, waypoint] = None
            last = waypoint
        short[last, end] = None
    rows: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    for node, from_last in level.items():
        rows[-1 - from_last].append(node)
    return _untangled(rows, list(short)), list(short)


def _untangled(rows: list[list[str]], edges: list[Edge]) -> list[list[str]]:
    """Order each layer by the mean place of its neighbours, to cross few edges."""
    place = {node: i - len(row) / 2 for row in rows for i, node in enumerate(row)}
    above, below = [(b, a) for a, b in edges], edges
    for sweep, beside in ((rows, above), (rows[::-1], below)) * SWEEPS:
        for row in sweep:
            near = {n: [place[other] for node, other in beside if node == n] for n in row}
            row.sort(key=lambda n: sum(near[n]) / len(near[n]) if near[n] else place[n])
            place |= dict(zip(row, _across(row), strict=True))
    return rows


def _across(row: list[str]) -> list[float]:
    """The places of a layer's nodes from left to right, in inches around its middle."""
    widths = [LANE if node.startswith(WAYPOINT) else STEP[0] for node in row]
    ends = list(accumulate(widths))
    return [end - (width + ends[-1]) / 2 for end, width in zip(ends, widths, strict=True)]


def draw(dot: str, target: str) -> Figure:
    """Draw the graph from top to bottom; edges that others imply are left out.

    The rule `target` only names what the others make, and is left out as well.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    nodes, edges = parse(dot)
    hidden = {node for node, name in nodes.items() if name == target}
    nodes = {node: name for node, name in nodes.items() if node not in hidden}
    edges = _reduced([e for e in edges if not hidden & set(e)])
    rows, edges = layers(nodes, edges)
    places = [_across(row) for row in rows]
    width = 2 * max(abs(x) for row in places for x in row) + STEP[0]
    height = len(rows) * STEP[1]
    at = {
        node: (width / 2 + x, height - (y + 0.5) * STEP[1])
        for y, (row, xs) in enumerate(zip(rows, places, strict=True))
        for node, x in zip(row, xs, strict=True)
    }
    with mpl.rc_context(SETTINGS):
        figure = Figure((width, height))
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_xlim(0, width)
        ax.set_ylim(0, height)
        ax.axis("off")
        for start, end in edges:
            head = "-" if end.startswith(WAYPOINT) else "-|>"
            ax.annotate(
                "",
                (at[end][0], at[end][1] + BOX[1] / 2),
                (at[start][0], at[start][1] - BOX[1] / 2),
                arrowprops={"arrowstyle": head, "color": RULE, "shrinkA": 0, "shrinkB": 0},
            )
        for node, (x, y) in at.items():
            if node.startswith(WAYPOINT):
                ax.plot((x, x), (y - BOX[1] / 2, y + BOX[1] / 2), color=RULE, lw=1)
                continue
            ax.add_patch(
                mpl.patches.FancyBboxPatch(
                    (x - BOX[0] / 2, y - BOX[1] / 2), *BOX,
                    boxstyle="round,pad=0,rounding_size=0.08", fc="none", ec=ACCENT,
                )
            )  # fmt: skip
            ax.text(x, y, nodes[node], ha="center", va="center", color=INK)
    return figure


def _reduced(edges: list[Edge]) -> list[Edge]:
    """Leave out the edges that a longer path implies."""
    below: dict[str, set[str]] = {}
    for start, end in edges:
        below.setdefault(start, set()).add(end)

    def reaches(start: str, end: str) -> bool:
        return any(n == end or reaches(n, end) for n in below.get(start, ()))

    return [
        (start, end)
        for start, end in edges
        if not any(reaches(other, end) for other in below[start] - {end})
    ]
