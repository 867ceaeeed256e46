"""The contact sheet of triggers: a stamped example of each, and how its teacher does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abd.config.cells import TEACHER_PARTS
from abd.config.paths import poison_path
from abd.report.cells import Measured
from abd.report.groups import name_of, varying
from abd.report.read import read_result
from abd.report.theme import SETTINGS
from abd.storage.pictures import read_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 6
PANEL = (1.35, 1.75)  # inches, two lines of text included


@dataclass(frozen=True, eq=False)
class Example:
    """A stamped image, uint8 (H, W, 3), and what is said below it."""

    image: np.ndarray
    label: str


def examples_of(cells: Sequence[Measured]) -> list[Example]:
    """One example per teacher, labelled with its Acc / ASR in percent.

    All are of the same test image, where the data set and the target class are the same.
    """
    told_apart = [
        p for p in varying([m.cell for m in cells]) if p in TEACHER_PARTS and p != "trigger"
    ]
    examples: dict[tuple[str, ...], Example] = {}
    for m in cells:
        key = tuple(getattr(m.cell, part) for part in TEACHER_PARTS)
        if key not in examples:
            path = Path(poison_path(m.cell.dataset, m.cell.trigger, "preview.png"))
            _, stamped = read_result(path, partial(read_picture, n_rows=2))
            name = name_of(m.cell, ["trigger", *told_apart])
            label = f"{name}\n{100 * m.teacher.acc:.1f} / {100 * m.teacher.asr:.1f}"
            examples[key] = Example(stamped[0], label)
    return list(examples.values())


def contact_sheet(examples: Sequence[Example]) -> Figure:
    """The examples side by side, their labels below."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    n_columns = min(COLUMNS, len(examples))
    n_rows = ceil(len(examples) / COLUMNS)
    with mpl.rc_context(SETTINGS):
        figure = Figure((PANEL[0] * n_columns, PANEL[1] * n_rows), layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
        for ax in axes.flat:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        for ax, example in zip(axes.flat, examples, strict=False):
            ax.imshow(example.image, interpolation="nearest")
            ax.set_xlabel(example.label)
    return figure
