"""Whether the networks of a cell suit its source and its vaccine."""

from __future__ import annotations

from functools import cache

from abd.config.cells import Cell
from abd.config.schema import Settings
from abd.config.sections import Problems
from abd.config.sources.base import SourceSettings
from abd.errors import AbdError
from abd.nets.layout import Layout, built_layout, known_layout

_built = cache(built_layout)


def check_networks(
    cell: Cell, settings: Settings, where: str, problems: Problems, *, build: bool
) -> None:
    """Note what a cell's networks lack. Without `build` those not ours go unchecked.

    To know them they must be built, which takes torch and a moment.
    """
    layouts = []
    for key, name in (("teacher", cell.teacher), ("student", cell.student)):
        layout = known_layout(name)
        if layout is None and build:
            try:
                layout = _built(name, settings.fetch.n_classes, settings.fetch.size)
            except AbdError as error:
                problems.note(f"{where}.{key}", error)
        layouts.append(layout)
    teacher, student = layouts
    if teacher is None or student is None:
        return
    own: SourceSettings | None = getattr(settings.distill, cell.source)
    misfits = {} if own is None else own.misfits(teacher, student)  # None is said elsewhere
    for key, what in misfits.items():
        problems.note(
            f"distill.{cell.source}.{key}", f"{what} ({cell.teacher}, {cell.student})"
        )
    if cell.guard != "plain":
        _check_shuffles(cell.teacher, teacher, settings.vaccine.n_conv, problems)


def _check_shuffles(
    name: str, teacher: Layout, n_conv: int | str, problems: Problems
) -> None:
    if isinstance(n_conv, int):
        if n_conv > teacher.n_convs:
            problems.note(
                "vaccine.n_conv",
                f"expected at most the {teacher.n_convs} convolutions of {name}, "
                f"got {n_conv}",
            )
    elif teacher.n_stages < 2:
        problems.note(
            "vaccine.n_conv",
            f"expected a number for {name}, which names no stages, got {n_conv}",
        )
