"""What a user says of a teacher, as the params of one experiment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abd.config.cells import UNKNOWN, Cell
from abd.config.sections import merge
from abd.data.photos import EMBEDDED
from abd.errors import AbdError
from abd.nets.names import is_import_path

NAME = "given"  # the data set that there is none of, in the paths of results
EXPERIMENT = "purify"
OVERRIDES = "by_dataset"
SIDES = (16, 224)
ARGUMENT = r"[A-Za-z0-9_.+-]+"  # it becomes a part of paths


@dataclass(frozen=True)
class Options:
    """The command line of `abd purify`, as it was given.

    normalize: the name of a data set of params.yaml, or "mean/std", three numbers each,
    separated by commas. test: labelled images that nothing but the report looks at. like:
    the data set of the study whose settings are taken, besides those that hold for all.
    settings: a file of params that are laid over these.
    """

    teacher: Path
    arch: str
    arch_args: str | None
    classes: int
    size: int
    normalize: str
    student: str
    student_args: str | None
    source: str
    images: list[str]
    test: Path | None
    out: Path
    like: str | None
    settings: Path | None
    budget: float
    device: str
    dtype: str
    threads: int
    seed: int

    def cell(self) -> Cell:
        """The student that is asked for."""
        return Cell(
            dataset=NAME,
            trigger=UNKNOWN,
            teacher=with_arguments("--arch", self.arch, self.arch_args),
            teacher_seed=0,
            source=self.source,
            student=with_arguments("--student", self.student, self.student_args),
            seed=self.seed,
            defense="abd",
        )


def with_arguments(option: str, name: str, arguments: str | None) -> str:
    """The name of a network with what it is to be built with, as params.yaml has it."""
    if arguments is None:
        return name
    where = f"{option}-args"
    if not is_import_path(name):
        raise AbdError(f"{where}: expected none for {name}, which is no import path")
    try:
        given = json.loads(arguments)
    except ValueError as error:
        raise AbdError(f"{where}: expected a JSON object, got {error}") from None
    if not isinstance(given, dict) or not all(
        key.isidentifier()
        and isinstance(value, bool | int | float | str)
        and re.fullmatch(ARGUMENT, str(value))
        for key, value in given.items()
    ):
        raise AbdError(
            f"{where}: expected a JSON object of numbers, plain words and truth values by "
            f"the names of parameters, got {arguments}"
        )
    return f"{name}({','.join(f'{key}={value!r}' for key, value in given.items())})"


def params_of(options: Options, study: Mapping[str, Any]) -> dict[str, Any]:
    """The params of an experiment that makes this one student.

    study: those of the study, of which all numbers come. Raises AbdError where the options
    are no such thing; what else can be wrong, planning finds.
    """
    if not SIDES[0] <= options.size <= SIDES[1]:
        raise AbdError(f"--size: expected {SIDES[0]} to {SIDES[1]}, got {options.size}")
    if not options.teacher.is_file():
        raise AbdError(f"{options.teacher}: expected a file of weights, got none")
    likes = sorted({d for s in study.values() if isinstance(s, dict)
                    for d in s.get(OVERRIDES) or ()})  # fmt: skip
    if options.like is not None and options.like not in likes:
        raise AbdError(f"--like: expected one of {', '.join(likes)}, got {options.like}")
    mean, std = _normalization(options.normalize, study)
    cell = options.cell()
    sections = {
        name: _settings(section, options.like)
        for name, section in study.items()
        if isinstance(section, dict) and name not in ("experiments", "numerics")
    }
    own = {
        "fetch": {
            OVERRIDES: {
                NAME: {
                    "size": options.size,
                    "n_classes": options.classes,
                    "n_train": 0,
                    "mean": mean,
                    "std": std,
                }
            }
        },
        "teacher": {OVERRIDES: {NAME: {"weights": str(options.teacher.resolve())}}},
    }
    if options.images:
        own["patches"] = {"photos": [_photo(image) for image in options.images]}
    return {
        "run": [EXPERIMENT],
        "budget": options.budget,
        "numerics": {
            **study["numerics"],
            "device": options.device,
            "dtype": options.dtype,
            "threads": options.threads,
            "graph": options.device != "cpu",
        },
        "experiments": {
            EXPERIMENT: {
                "title": f"A student of {options.teacher.name}",
                "grids": [
                    {
                        "dataset": cell.dataset,
                        "triggers": [cell.trigger],
                        "teacher": cell.teacher,
                        "student": cell.student,
                        "sources": [cell.source],
                        "defenses": [cell.defense],
                        "teacher_seed": cell.teacher_seed,
                        "seeds": [cell.seed],
                    }
                ],
            }
        },
        **merge(sections, own),
    }


def _settings(section: Mapping[str, Any], like: str | None) -> dict[str, Any]:
    """A section as it is for one data set of the study, or for none of them."""
    own = (section.get(OVERRIDES) or {}).get(like) or {}
    return merge({k: v for k, v in section.items() if k != OVERRIDES}, own)


def _photo(image: str) -> str:
    return image if image in EMBEDDED else str(Path(image).resolve())


def _normalization(text: str, study: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation: a data set's of the study, or as they are given."""
    known = {
        name: own
        for name, own in study["fetch"].get(OVERRIDES, {}).items()
        if own.get("mean") and own.get("std")
    }
    if text in known:
        return known[text]["mean"], known[text]["std"]
    rows = [re.split(r"\s*,\s*", part.strip()) for part in text.split("/")]
    try:
        mean, std = ([float(value) for value in row] for row in rows)
    except ValueError:
        mean, std = [], []
    if len(mean) != 3 or len(std) != 3:
        raise AbdError(
            f"--normalize: expected one of {', '.join(known)}, or mean/std in units of "
            f"[0, 1] as 0.5,0.5,0.5/0.25,0.25,0.25, got {text!r}"
        )
    return mean, std
