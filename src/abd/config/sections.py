"""Validation of the raw mapping of params.yaml: everything wrong with it, at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from abd.config.found import with_found
from abd.config.schema import SECTIONS, Settings, section_model
from abd.config.shown import cut, shown
from abd.config.study import Top
from abd.errors import AbdError, printable

Model = TypeVar("Model", bound=BaseModel)
OVERRIDES = "by_dataset"


class ProblemsError(AbdError):
    """What is wrong with params: `lines`, each a key, a colon, and what is wrong there."""

    def __init__(self, where: str, lines: list[str]) -> None:
        head = f"{where}: {len(lines)} problem(s); nothing was started"
        super().__init__("\n  ".join([head, *lines]))
        self.lines = lines


Locate = Callable[[tuple[str | int, ...]], str]


class Problems:
    """Collects what is wrong, one line each, and raises it all together."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, key: str, expected: str, got: object) -> None:
        """Note that `key` should be `expected` and is `got`."""
        # An empty value is None, which nobody wrote.
        self.note(
            key, f"expected {expected}, got {'nothing' if got is None else shown(got)}"
        )

    def note(self, key: str, what: object) -> None:
        """Note a problem that words itself."""
        line = printable(f"{cut(str(key))}: {what}")
        if line not in self.lines:
            self.lines.append(line)

    def raise_any(self, where: str = "params.yaml") -> None:
        """Raise ProblemsError with every line, or return where there is none.

        `where` is what was read.
        """
        if self.lines:
            raise ProblemsError(where, self.lines)


def validate(
    model: type[Model],
    raw: object,
    problems: Problems,
    locate: Locate = lambda path: ".".join(map(str, path)),
    *,
    incomplete: bool = False,
    strict: bool = False,
) -> Model | None:
    """Return `raw` as a `model`, or None after noting every problem in it.

    `locate` gives the key, as the user wrote it, of a path inside `raw`. With `incomplete`
    missing keys are no problem. With `strict`, for what was read from JSON, text is no
    number.
    """
    try:
        if strict:  # pydantic takes lists for tuples, which JSON lacks, from JSON alone
            return model.model_validate_json(json.dumps(raw), strict=True)
        return model.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            key = locate(tuple(part for part in item["loc"] if part != "[key]"))
            if item["type"] == "extra_forbidden":
                problems.add(key, "no such key", item["input"])
            elif item["type"] == "missing":
                if not incomplete:
                    problems.note(key, "expected a value, got nothing")
            else:
                problems.add(key, _expectation(item["msg"]), item["input"])
        return None


def _locate(name: str, dataset: str, own: object, path: tuple[str | int, ...]) -> str:
    """The key of a path in a merged section: the override's where it holds the path."""
    inside = own
    for part in path:
        if isinstance(inside, list):  # a list is overridden as a whole
            break
        if not isinstance(inside, Mapping) or part not in inside:
            return ".".join([name, *map(str, path)])
        inside = inside[part]
    return ".".join([name, *([OVERRIDES, dataset] if path else []), *map(str, path)])


def _complain(problems: Problems, locate: Locate, key: str, what: object) -> None:
    problems.note(locate((key,)), what)


def _expectation(message: str) -> str:
    """Turn pydantic's "Input should be ..." into what was expected."""
    text = message.removeprefix("Input should be ").removeprefix("Value error, ")
    text = text.partition(" or instance of ")[0]
    return text[:1].lower() + text[1:]


def merge(base: object, override: object) -> Any:
    """Return `base` with the keys of `override` replaced, level by level."""
    if not isinstance(base, Mapping) or not isinstance(override, Mapping):
        return deepcopy(override)
    merged = dict(base)
    for key, value in override.items():
        merged[key] = merge(base[key], value) if key in base else deepcopy(value)
    return merged


def read_top(raw: Mapping[str, Any], problems: Problems) -> Top | None:
    """Validate what is not a stage's section; unknown sections are problems."""
    return validate(Top, {k: v for k, v in raw.items() if k not in SECTIONS}, problems)


def overridden(raw: Mapping[str, Any]) -> set[str]:
    """Every data set that a section has overrides for."""
    _, overrides, _ = _split(raw, Problems())
    return {dataset for own in overrides.values() for dataset in own}


def read_settings(
    raw: Mapping[str, Any],
    datasets: Iterable[str],
    known: Iterable[str],
    problems: Problems,
) -> dict[str, Settings]:
    """Validate every section for every data set; overrides are named by their own key.

    `datasets` are those that an experiment uses. An override for another of the `known`
    ones may be incomplete; one for a data set that is not known is a problem.
    """
    base, overrides, torn = _split(raw, problems)
    used, named = list(datasets), {d for own in overrides.values() for d in own}
    for name, own in overrides.items():
        for dataset in own:
            if dataset not in known:
                problems.note(
                    f"{name}.{OVERRIDES}",
                    f"expected any of {', '.join(map(str, known))}, got {shown(dataset)}, "
                    "which no experiment names: correct it, or remove its overrides",
                )
    settings = {}
    for dataset in [*used, *sorted(named & set(known) - set(used), key=str)]:
        sections: dict[str, Any] = {}
        for name in SECTIONS:
            own = overrides[name].get(dataset, {})
            section: dict[str, Any] | None = merge(base[name], own)
            locate = partial(_locate, name, dataset, own)
            if name == "fetch" and dataset in used and section is not None:
                complain = partial(_complain, problems, locate)
                section = with_found(section, complain)
            sections[name] = None if section is None else validate(
                section_model(name), section, problems, locate,
                incomplete=dataset not in used or name in torn,
            )  # fmt: skip
        if all(sections.values()):
            settings[dataset] = Settings(**sections)
    return settings


def _split(
    raw: Mapping[str, Any], problems: Problems
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], set[str]]:
    """Every section without its overrides, and the overrides by data set.

    Third are the sections of which a part cannot be read: what lacks may stand there.
    """
    base: dict[str, dict[str, Any]] = {}
    overrides: dict[str, dict[str, Any]] = {}
    torn = set()
    for name in SECTIONS:
        section = raw.get(name)
        if not isinstance(section, Mapping):
            problems.add(name, "a section", "nothing" if section is None else section)
            section = {}
            torn.add(name)
        base[name] = {k: v for k, v in section.items() if k != OVERRIDES}
        own = section.get(OVERRIDES)
        if own is not None and not isinstance(own, Mapping):
            problems.add(f"{name}.{OVERRIDES}", "settings by data set, or nothing", own)
            own = None
            torn.add(name)
        overrides[name] = {}
        for dataset, changes in (own or {}).items():
            is_mapping = isinstance(changes, Mapping)
            # Nothing but comments below a data set reads as null: it overrides nothing.
            if changes is not None and not is_mapping:
                problems.add(f"{name}.{OVERRIDES}.{dataset}", "settings", changes)
                torn.add(name)
            overrides[name][dataset] = dict(changes) if is_mapping else {}
    return base, overrides, torn
