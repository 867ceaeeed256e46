"""What the monitor saw of a student, over all stages that it comes from."""

from __future__ import annotations

from pathlib import Path

from abd.config.cells import Cell
from abd.config.paths import history_paths
from abd.report.read import read_result
from abd.storage.results import read_curve, read_history

# So many classes or fewer: the images are nearly all of one. With one image in fifty of
# another it is 1.10; a generator that has fallen into a class gives 1.00.
FEW_CLASSES = 1.1


def curve_of(cell: Cell) -> list[dict[str, float]]:
    """Points of a student's curve in order, each with its step; AbdError where damaged."""
    paths = [Path(path) for path in history_paths(cell)]
    for path in paths:  # each by itself, to say which is damaged
        read_result(path, lambda p: [point["step"] for point in read_history(p)])
    return read_curve(paths)
