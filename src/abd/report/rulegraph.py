"""The rule graph as a picture, from Snakemake's DOT."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from abd.report.theme import ACCENT, INK, RULE, SETTINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOX = (1.55, 0.34)  # inches
STEP = (1.75, 0.68)


def parse(dot: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return rule names by node, and edges (from, to), of `snakemake --rulegraph dot`.

    Raises ValueError where there is no whole graph.
    """
    if not re.fullmatch(r"digraph.*\}\s*", dot, re.DOTALL):
        raise ValueError("no whole graph")
    nodes = dict(re.findall(r'^\s*(\d+)\[label = "([^"]+)"', dot, re.MULTILINE))
    edges = re.findall(r"^\s*(\d+) -> (\d+)", dot, re.MULTILINE)
    return nodes, [edge for edge in edges if edge[0] != edge[1]]


def layers(nodes: dict[str, str], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Put every node one layer below the last of its inputs."""
    level = dict.fromkeys(nodes, 0)
    for _ in nodes:  # at most as many rounds as the longest path is long
        for start, end in edges:
            level[end] = max(level[end], level[start] + 1)
    rows: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    for node in sorted(nodes, key=lambda n: nodes[n]):
        rows[level[node]].append(node)
    return _untangled(rows, edges)


def _untangled(rows: list[list[str]], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Order each layer by the mean place of its inputs, to cross few edges."""
    place = {node: i - len(row) / 2 for row in rows for i, node in enumerate(row)}
    for row in rows[1:]:
        above = {n: [place[a] for a, b in edges if b == n] for n in row}
        row.sort(key=lambda n: sum(above[n]) / max(1, len(above[n])))
        place |= {node: i - len(row) / 2 for i, node in enumerate(row)}
    return rows


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
    rows = layers(nodes, edges)
    width = max(map(len, rows)) * STEP[0]
    height = len(rows) * STEP[1]
    at = {
        node: (width / 2 + (i - (len(row) - 1) / 2) * STEP[0], height - (y + 0.5) * STEP[1])
        for y, row in enumerate(rows)
        for i, node in enumerate(row)
    }
    with mpl.rc_context(SETTINGS):
        figure = Figure((width, height))
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_xlim(0, width)
        ax.set_ylim(0, height)
        ax.axis("off")
        for start, end in edges:
            ax.annotate(
                "",
                (at[end][0], at[end][1] + BOX[1] / 2),
                (at[start][0], at[start][1] - BOX[1] / 2),
                arrowprops={"arrowstyle": "-|>", "color": RULE, "shrinkA": 0, "shrinkB": 0},
            )
        for node, (x, y) in at.items():
            ax.add_patch(
                mpl.patches.FancyBboxPatch(
                    (x - BOX[0] / 2, y - BOX[1] / 2), *BOX,
                    boxstyle="round,pad=0,rounding_size=0.08", fc="none", ec=ACCENT,
                )
            )  # fmt: skip
            ax.text(x, y, nodes[node], ha="center", va="center", color=INK)
    return figure


def _reduced(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
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
