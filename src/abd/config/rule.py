"""The rule of `abd`: what its job is told of it, and what params cannot mean by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from abd.config.retrospect import Retrospect
from abd.config.schema import Settings
from abd.config.sections import Problems
from abd.data.labelled import check_labelled, labelled_digest
from abd.errors import AbdError

LABELLED = "retrospect.labelled"


def paper_rule(sr: Retrospect) -> dict[str, Any]:
    """What the rule of the paper goes by; the labelled images are an input of the job.

    Of a folder Snakemake would see the date alone.
    """
    told: dict[str, Any] = sr.model_dump(include={"sr_below", "sv_restart_drop"})
    if sr.labelled is not None and Path(sr.labelled).is_dir():
        told["listing"] = labelled_digest(Path(sr.labelled))
    return told


def check_rule(dataset: str, settings: Settings, problems: Problems) -> None:
    """Note limits in the wrong order, and labelled images that rule paper cannot use."""
    sr = settings.retrospect
    if sr.sr_below > sr.sv_restart_drop:
        problems.add(
            "retrospect.sv_restart_drop",
            f"at least retrospect.sr_below = {sr.sr_below}",
            sr.sv_restart_drop,
        )
    if sr.rule != "paper":
        return
    if sr.labelled is None:
        problems.note(
            LABELLED,
            f"expected labelled images of {dataset} for retrospect.rule: paper, an .npz "
            "file or class folders, got nothing",
        )
        return
    path = Path(sr.labelled)
    if settings.fetch.path is not None and _holds(Path(settings.fetch.path), path):
        problems.add(
            LABELLED,
            f"images that are not {dataset}'s own, the test set among them",
            sr.labelled,
        )
        return
    try:
        check_labelled(path, settings.fetch.size, settings.fetch.n_classes)
    except AbdError as error:
        problems.note(LABELLED, error)


def _holds(data: Path, path: Path) -> bool:
    """Whether `path` is the test set of class folders, or the data set as a whole."""
    try:
        path = path.resolve()
    except (OSError, ValueError):  # a path that can be none: the reader says so
        return False
    return path == data.resolve() or path.is_relative_to((data / "test").resolve())
