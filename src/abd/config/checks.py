"""Combinations of params that cannot work, found before any job starts."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from abd.config.cells import UNKNOWN, Cell
from abd.config.given import check_given
from abd.config.lengths import lengths, pool_size
from abd.config.rule import check_rule
from abd.config.schema import Settings
from abd.config.sections import Problems
from abd.config.sources import SOURCES
from abd.config.triggers import check_trigger
from abd.data.photos import EMBEDDED
from abd.data.there import is_file
from abd.errors import AbdError
from abd.nets import check_name
from abd.stages import STAGES
from abd.triggers import TRIGGERS

# Rules that are not stages; an experiment becomes a rule of its own name.
OTHER_RULES = ("all", "report", "rulegraph", "summary")


def check_experiment(name: str, problems: Problems) -> None:
    """Note a name that cannot be a Snakemake target, or is a rule's already."""
    rule = name in OTHER_RULES or any(
        name == stage or name.startswith(f"{stage}_") for stage in STAGES
    )
    if rule or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        problems.add(
            "experiments", "names of letters, digits and _ that are no rule's", name
        )


def check_names(
    cell: Cell, datasets: Collection[str], where: str, problems: Problems
) -> bool:
    """Note every name in `cell` that there is nothing of; True if none.

    `datasets` are the registered ones, and the user's own.
    """
    good = True
    for key, names, name in (
        ("dataset", datasets, cell.dataset),
        ("triggers", TRIGGERS.names(), cell.trigger),
        ("sources", SOURCES.names(), cell.source),
    ):
        if name not in names and not (key == "triggers" and name == UNKNOWN):
            expected = f"one of {', '.join(names)}"
            if key == "dataset":
                expected += f", or your own at fetch.by_dataset.{name}.path"
            problems.add(f"{where}.{key}", expected, name)
            good = False
    for key, name in (("teacher", cell.teacher), ("student", cell.student)):
        try:
            check_name(name)
        except AbdError as error:
            problems.note(f"{where}.{key}", error)
            good = False
    return good


def check_cell(
    cell: Cell, settings: Settings, where: str, problems: Problems, budget: float = 1
) -> None:
    """Note what does not fit together in one cell; `settings` are within the `budget`."""
    if not check_given(cell, settings, where, problems) and not cell.given:
        _check_attack(cell, settings, where, problems)
    if cell.defense == "abd":
        check_rule(cell.dataset, settings, problems)
    if _has_source(cell.source, settings, problems):
        _check_source(cell.source, settings, problems, budget)


def _check_attack(cell: Cell, settings: Settings, where: str, problems: Problems) -> None:
    """Note what does not fit together of a trigger, its target and the training set."""
    check_trigger(cell.trigger, settings, where, problems)
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


def _has_source(source: str, settings: Settings, problems: Problems) -> bool:
    """Note the sections of a source that are missing; True if none."""
    parts = {
        f"distill.{source}": getattr(settings.distill, source),
        f"retrospect.{source}": getattr(settings.retrospect, source),
        f"surrogate.warm.{source}": settings.surrogate.warm.get(source),
        f"surrogate.skip.{source}": settings.surrogate.skip.get(source),
    }
    missing = [key for key, value in parts.items() if value is None]
    for key in missing:
        problems.note(key, "expected a value, got nothing")
    return not missing


def _check_source(
    source: str, settings: Settings, problems: Problems, budget: float
) -> None:
    """Note pools, photographs and positions that do not fit a source."""
    own, n_pool = settings.distill.of(source), pool_size(settings, source)
    if own.pool == "patches":
        _check_photos(settings, problems)
    if own.pool and own.drawn(n_pool) < own.batch:
        problems.add(
            f"distill.{source}.batch",
            f"at most the {own.drawn(n_pool)} images of its pool",
            own.batch,
        )
        return
    pad, size = getattr(own, "crop_pad", 0), settings.fetch.size
    if pad >= size:
        problems.add(f"distill.{source}.crop_pad", f"less than the image's {size}", pad)
    long = lengths(settings, source)
    if not long.skip < long.warm:
        problems.add(
            f"surrogate.skip.{source}", f"less than surrogate.warm.{source} = {long.warm}",
            long.skip,
        )  # fmt: skip
    if not long.warm < long.lambda_:
        shrunk = f", within budget = {budget}" if budget < 1 else ""
        problems.add(
            f"surrogate.warm.{source}",
            f"less than lambda = {long.lambda_} (the {long.total} rounds without the last "
            f"retrospect.{source}.last epochs of {long.rounds_per_epoch}{shrunk})",
            long.warm,
        )


def _check_photos(settings: Settings, problems: Problems) -> None:
    """Note photographs that are given twice or are not there, and too few patches."""
    photos = settings.patches.photos
    for photo in dict.fromkeys(photos):
        if photos.count(photo) > 1:
            problems.add("patches.photos", "every photograph once", photo)
        if photo not in EMBEDDED and not is_file(Path(photo)):
            problems.add("patches.photos", f"{' or '.join(EMBEDDED)}, or a file", photo)
    if settings.patches.n < len(photos):
        problems.add("patches.n", "at least one for every photograph", settings.patches.n)
