"""What a user says of a teacher, as the params of one experiment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abd.config.cells import UNKNOWN, Cell
from abd.config.load import load_params
from abd.config.schema import SECTIONS
from abd.config.sections import merge
from abd.data.photos import EMBEDDED
from abd.data.there import is_file
from abd.errors import AbdError, printable
from abd.nets.names import check_classes, is_import_path, split_arguments

NAME = "given"  # the data set that there is none of, in the paths of results
EXPERIMENT = "purify"
OVERRIDES = "by_dataset"
SIDES = (16, 224)


@dataclass(frozen=True)
class Options:
    """The command line of `abd purify`, as it was given.

    normalize: the name of a data set of params.yaml, or "mean/std", three numbers each,
    separated by commas. test: labelled images that nothing but the report looks at;
    trigger: a name or a picture that is suspected to stand for the class `target`,
    likewise. like: the data set of the study whose settings are taken, besides those that
    hold for all. settings: a file of params that are laid over these.
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
    trigger: str | None
    target: int | None
    out: Path
    like: str | None
    settings: Path | None
    budget: float
    device: str
    dtype: str
    compile: bool
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
        values = [f"{key}={value!r}" for key, value in given.items()]
        named = f"{name}({';'.join(values)})"
        split_arguments(named)
    except (ValueError, AttributeError, RecursionError, AbdError):
        raise AbdError(
            f"{where}: expected a JSON object of numbers, plain words and truth values by "
            f"the names of parameters, got {printable(arguments)}"
        ) from None
    return named


def params_of(
    options: Options, study: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The params of an experiment that makes this one student.

    study: those of the study, of which all numbers come; own: sections laid over those.
    Raises AbdError where the options are no such thing; what else can be wrong, planning
    finds.
    """
    own = own or {}
    _check_own(own)
    if not SIDES[0] <= options.size <= SIDES[1]:
        raise AbdError(f"--size: expected {SIDES[0]} to {SIDES[1]}, got {options.size}")
    check_classes(options.classes)
    _check_suspicion(options)
    if not is_file(options.teacher):
        raise AbdError(
            f"{printable(options.teacher)}: expected a file of weights, got none"
        )
    likes = sorted({d for s in study.values() if isinstance(s, dict)
                    for d in s.get(OVERRIDES) or ()})  # fmt: skip
    if options.like is not None and options.like not in likes:
        raise AbdError(f"--like: expected one of {', '.join(likes)}, got {options.like}")
    mean, std = _normalization(options.normalize, study)
    cell = options.cell()
    sections = {
        name: merge(_settings(study[name], options.like), own.get(name, {}))
        for name in SECTIONS
    }
    given: dict[str, Any] = {
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
        given["patches"] = {"photos": [_photo(image) for image in options.images]}
    return {
        "run": [EXPERIMENT],
        "budget": options.budget,
        "numerics": {
            **study["numerics"],
            "device": options.device,
            "dtype": options.dtype,
            "threads": options.threads,
            "graph": options.device != "cpu",
            "compile": options.compile and options.device == "cpu",
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
        **merge(sections, given),
    }


def _check_suspicion(options: Options) -> None:
    """AbdError where a suspected trigger lacks its class or its images."""
    if (options.trigger is None) != (options.target is None):
        raise AbdError("--trigger, --target: expected both or neither, got one of them")
    if options.trigger is not None and options.test is None:
        raise AbdError("--trigger: expected labelled images to stamp, got no --test")
    if options.target is not None and not 0 <= options.target < options.classes:
        raise AbdError(
            f"--target: expected a class, 0..{options.classes - 1}, got {options.target}"
        )


def _check_own(own: Mapping[str, Any]) -> None:
    """AbdError where settings are anything but sections of stages, for one teacher."""
    for name, section in own.items():
        if name not in SECTIONS:
            raise AbdError(
                f"--settings: expected sections of stages, {', '.join(SECTIONS)}, got "
                f"{printable(name)}"
            )
        if not isinstance(section, Mapping) or OVERRIDES in section:
            raise AbdError(
                f"--settings: {name}: expected its keys, without {OVERRIDES}: there is one "
                "teacher"
            )


def own_settings(path: Path) -> dict[str, Any]:
    """The params of a file; paths in it are taken from where it lies."""
    if not is_file(path):
        raise AbdError(f"--settings: expected a YAML file, got none at {printable(path)}")
    own = load_params(path)
    _check_own(own)
    photos = own.get("patches", {}).get("photos")
    if isinstance(photos, list):
        own["patches"]["photos"] = [_photo(str(photo), path.parent) for photo in photos]
    labelled = own.get("retrospect", {}).get("labelled")
    if isinstance(labelled, str):
        own["retrospect"]["labelled"] = str((path.parent / labelled).resolve())
    return own


def _settings(section: Mapping[str, Any], like: str | None) -> dict[str, Any]:
    """A section as it is for one data set of the study, or for none of them."""
    own = (section.get(OVERRIDES) or {}).get(like) or {}
    return merge({k: v for k, v in section.items() if k != OVERRIDES}, own)


def _photo(image: str, folder: Path = Path()) -> str:
    return image if image in EMBEDDED else str((folder / image).resolve())


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
