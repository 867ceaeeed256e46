"""What a job's slice of the params looks like, by stage; one given by hand is checked.

The planner writes slices (`abd.config.jobs`) from settings that are valid already. Here
the same models say what a stage must find in its slice: every key, of its own type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from abd.config.attack import Harden, Poison, Teacher
from abd.config.fields import LARGEST_SEED, Count, Int, Rate, Section, Seed, Whole
from abd.config.retrospect import Constants, Retrospect, RetrospectSource
from abd.config.schema import (
    Fetch,
    Guard,
    Patches,
    SourceName,
    Vaccine,
    Verdict,
)
from abd.config.sections import Problems, validate
from abd.config.shown import shown
from abd.config.sources import SourceSettings, settings_class
from abd.config.study import ACCELERATIONS, Defense, Numerics
from abd.digest import is_module
from abd.errors import AbdError

Fields = dict[str, Any]
Rounds = Annotated[Int, Field(ge=1, le=LARGEST_SEED)]  # epochs times batches


def _of(model: type[BaseModel], *names: str, without: Iterable[str] = ()) -> Fields:
    """Fields of a model, or all but some: with its checks, and none to be left out."""
    fields: Fields = {}
    for name in names or [n for n in model.model_fields if n not in set(without)]:
        info = model.model_fields[name]
        kind: Any = info.annotation
        for check in info.metadata:
            kind = Annotated[kind, check]
        fields[name] = kind
    return fields


def _model(fields: Mapping[str, Any], needed: Iterable[str] = ()) -> type[Section]:
    """The model of a mapping; a name ending in "?" may be left out, unless `needed`."""
    given: Fields = {}
    for key, kind in fields.items():
        name = key.rstrip("?")
        given[name] = (kind, None if name != key and name not in needed else ...)
    return create_model("Slice", __base__=Section, **given)


_IMAGES = _model(_of(Fetch, "size", "n_classes", "mean", "std"))
_SIZE = _of(Fetch, "size")
_MEASURING = {"numerics": _model(_of(Numerics, without=["dtype", *ACCELERATIONS]))}
_TRAINING = {"numerics": _model(_of(Numerics, without=ACCELERATIONS))}
_STUDENT: Fields = {
    "images": _IMAGES,
    "teacher_net": str,
    "student_net": str,
    "source": SourceName,
    "seed": Seed,
}
_DISTILLATION: Fields = {
    **_STUDENT,
    **_TRAINING,
    "settings": dict[str, Any],
    "total": Rounds,
    "log_every": Count,
}
_POSITIONS: Fields = {"lambda": Rounds, "eval_every": Count}
_GUARDED: Fields = {
    "vaccine_guard?": Guard,
    "vaccine?": _model(_of(Vaccine, "members", "n_conv")),
}
_RETROSPECTION: Fields = {
    **_of(Constants),
    **_of(RetrospectSource, "portion", "weight"),
    "tau": Rate,
}
_CELL: Fields = {
    "dataset": str,
    "trigger": str,
    "teacher": str,
    "teacher_seed": Seed,
    "source?": str,
    "student?": str,
    "seed?": Seed,
    "defense?": Defense,
}
_STAGES: dict[str, Fields] = {
    "fetch": {
        "dataset": str,
        "fetch": _model(_of(Fetch, "size", "n_classes", "n_train", "resize")),
        "listing?": str,
    },
    "patches": {"patches": Patches, **_SIZE},
    "harden": {
        "images": _IMAGES,
        "harden": Harden,
        **_of(Poison, "target"),
        **_TRAINING,
    },
    "poison": {
        "trigger": str,
        "variant": str | None,
        "assets": dict[str, str],
        "poison": _model(_of(Poison, "rate", "holdout", "target")),
        **_SIZE,
    },
    "teacher": {
        "images": _IMAGES,
        "teacher": Teacher,
        "net": str,
        "seed": Seed,
        "numerics": Numerics,
    },
    "admit": {"images": _IMAGES, "net": str, "sha256": str},
    "surrogate": {**_DISTILLATION, "warm": Count, "skip": Whole},
    "vaccine": {**_STUDENT, "vaccine": Vaccine, **_MEASURING},
    "distill": {
        **_DISTILLATION,
        "numerics": Numerics,
        **_POSITIONS,
        "guard": Literal["plain", "first", "searched"],
        **_GUARDED,
    },
    "retrospect": {
        **_DISTILLATION,
        **_POSITIONS,
        "retrospection": _model(_RETROSPECTION),
        "lr": Rate,
        "defense": Defense,
        "force?": bool,
        "paper?": _model(
            {**_of(Retrospect, "sr_below", "sv_restart_drop"), "listing?": str}
        ),
        "guard?": Literal["plain", "first", "searched"],
        **_GUARDED,
    },
    "verdict": {
        **_STUDENT,
        "vaccine": _model(_of(Vaccine, "members", "n_conv")),
        "verdict": Verdict,
        "retrospection": _model(_RETROSPECTION),
        **_MEASURING,
    },
    "score": {
        "images": _IMAGES,
        "teacher_net": str,
        **_of(Vaccine, "direction"),
        **_MEASURING,
    },
    "evaluate": {"images": _IMAGES, "cell": _model(_CELL), **_MEASURING},
}


class Member(Section):
    """A registry member; see `abd.registry.Registry.identity`."""

    module: str
    plugin: str | None = None


def read_slice(stage: str, text: str) -> dict[str, Any]:
    """Return the slice of a job of `stage` from its JSON.

    Raises AbdError naming everything that is wrong with it, one line each.
    """
    problems = Problems()
    raw = _mapping(text, problems)
    fields: Fields = {"members": list[Member], **_STAGES[stage]}
    source = raw.get("source")
    if "settings" in fields and isinstance(source, str):
        fields["settings"] = _settings(source) or fields["settings"]
    validate(_model(fields, _needed(raw)), raw, problems, strict=True)
    _check_members(raw.get("members"), problems)
    problems.raise_any(f"{stage}: --config")
    return raw


def _mapping(text: str, problems: Problems) -> dict[str, Any]:
    """The JSON object in `text`; keys that stand there twice are noted."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            for name in found:
                if names.count(name) > 1:
                    problems.note(name, f"expected once, got {names.count(name)} times")
        return found

    try:
        raw = json.loads(text, object_pairs_hook=unique)
        json.dumps(raw, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        got = f"text that is none ({error})"
        raise AbdError(f"--config: expected a slice of params as JSON, got {got}") from None
    if not isinstance(raw, dict):
        raise AbdError(f"--config: expected a slice of params as JSON, got {shown(raw)}")
    return raw


def _settings(source: str) -> type[Section] | None:
    """The model of what a source is built with; None where only the source knows."""
    try:
        own = settings_class(source)
    except AbdError:
        return None  # the field `source` says so
    if own.arguments is not SourceSettings.arguments:
        return None
    return _model(_of(own, without=["log_every", "eval_every", own.length]))


def _needed(raw: Mapping[str, Any]) -> set[str]:
    """What a job with a vaccine, or with the defense abd, must be told of."""
    needed = {"force"} if raw.get("defense") == "abd" else set()
    guard = raw.get("guard")
    if guard in ("first", "searched"):
        needed.add("vaccine_guard")
    return needed | {"vaccine"} if guard == "first" else needed


def _check_members(members: object, problems: Problems) -> None:
    for i, member in enumerate(members if isinstance(members, list) else ()):
        module = member.get("module") if isinstance(member, dict) else None
        if isinstance(module, str) and "plugin" not in member and not is_module(module):
            problems.add(f"members.{i}.module", "a module of abd", module)
