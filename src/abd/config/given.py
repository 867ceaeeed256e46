"""Teachers that come from a file: `teacher.by_dataset.<name>.weights` in params.yaml.

Nothing is known of them but what they take and give: no data set, no trigger. Their cells
have the trigger "unknown"; what is made of them is a student and a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from abd.config.cells import UNKNOWN, Cell
from abd.config.found import is_name
from abd.config.schema import Settings
from abd.config.sections import Problems
from abd.data.there import is_file
from abd.storage.files import sha256


def given_names(raw: Mapping[str, Any]) -> list[str]:
    """The names under which params.yaml has teachers that come from a file."""
    section = raw.get("teacher")
    overrides = section.get("by_dataset") if isinstance(section, Mapping) else None
    own = overrides.items() if isinstance(overrides, Mapping) else ()
    return [
        name
        for name, changes in own
        if is_name(name)
        and isinstance(changes, Mapping)
        and changes.get("weights") is not None
    ]


def given_digest(settings: Settings) -> dict[str, str]:
    """What the job that takes the file in is told of it.

    Snakemake looks at a file's date first, and one put in its place may be an older one.
    """
    assert settings.teacher.weights is not None
    return {"sha256": sha256(Path(settings.teacher.weights))}


def check_given(cell: Cell, settings: Settings, where: str, problems: Problems) -> bool:
    """Note what a cell cannot ask of a teacher from a file; True if it has such a one.

    And the other way round: a trained teacher has a trigger.
    """
    weights = settings.teacher.weights
    if weights is None:
        if cell.given:
            key = f"teacher.by_dataset.{cell.dataset}.weights"
            problems.note(
                f"{where}.triggers",
                f"expected a trigger, or the teacher's file at {key}, got {UNKNOWN}",
            )
        return False
    own = f"by_dataset.{cell.dataset}"
    if not cell.given:
        problems.add(
            f"{where}.triggers", f"{UNKNOWN} for a teacher that is given", cell.trigger
        )
    if not is_file(Path(weights)):
        problems.add(f"teacher.{own}.weights", "a file of weights", weights)
    for key in ("mean", "std"):
        if getattr(settings.fetch, key) is None:
            problems.add(
                f"fetch.{own}.{key}", "numbers: there is no data to find it in", None
            )
    if settings.fetch.n_train:
        problems.add(f"fetch.{own}.n_train", "0: there is no data", settings.fetch.n_train)
    source = getattr(settings.distill, cell.source, None)
    if source is not None and source.pool == "dataset":
        problems.add(f"{where}.sources", "one that needs no data set", cell.source)
    return True
