"""Combinations of params that cannot work, found before any job starts."""

from __future__ import annotations

from abd.config.cells import Cell
from abd.config.lengths import lengths
from abd.config.schema import Settings
from abd.config.sections import Problems
from abd.data import DATASETS
from abd.errors import AbdError
from abd.nets import split_name
from abd.sources import SOURCES
from abd.triggers import TRIGGERS, build_trigger


def check_names(cell: Cell, where: str, problems: Problems) -> bool:
    """Note every name in `cell` that nothing is registered under; True if none."""
    good = True
    for key, registry, name in (
        ("dataset", DATASETS, cell.dataset),
        ("triggers", TRIGGERS, cell.trigger),
        ("sources", SOURCES, cell.source),
    ):
        if name not in registry.names():
            problems.add(f"{where}.{key}", f"one of {', '.join(registry.names())}", name)
            good = False
    for key, name in (("teacher", cell.teacher), ("student", cell.student)):
        try:
            split_name(name)
        except AbdError as error:
            problems.note(f"{where}.{key}", error)
            good = False
    return good


def check_cell(cell: Cell, settings: Settings, where: str, problems: Problems) -> None:
    """Note what does not fit together in one cell."""
    try:
        build_trigger(cell.trigger, settings.fetch.size)
    except ValueError as error:
        problems.note(f"{where}.triggers", error)
    target, n_classes = settings.poison.target, settings.fetch.n_classes
    if target >= n_classes:
        problems.add(
            "poison.target", f"a class of {cell.dataset}, 0..{n_classes - 1}", target
        )
    if settings.teacher.batch > settings.fetch.n_train:
        problems.add(
            "teacher.batch", f"at most fetch.n_train = {settings.fetch.n_train}",
            settings.teacher.batch,
        )  # fmt: skip
    long = lengths(settings, cell.source)
    if long.rounds_per_epoch == 0:
        problems.add(f"distill.{cell.source}.batch", "no more than the pool holds", "more")
        return
    if not long.skip < long.warm:
        problems.add(
            f"surrogate.skip.{cell.source}", f"less than warm = {long.warm}", long.skip
        )
    if not long.warm < long.lambda_:
        problems.add(
            f"surrogate.warm.{cell.source}",
            f"less than lambda = {long.lambda_} (the {long.total} rounds without the last "
            f"retrospect.{cell.source}.last epochs of {long.rounds_per_epoch})",
            long.warm,
        )
