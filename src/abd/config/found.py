"""The user's own data sets: their names in params.yaml, and what it leaves out of them.

What it leaves out is found in the data when a run is planned, from headers and listings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abd.data.own import describe_own
from abd.errors import AbdError, printable

if TYPE_CHECKING:
    from abd.config.sections import Problems

Complain = Callable[[str, object], None]


def own_names(raw: Mapping[str, Any], problems: Problems) -> list[str]:
    """The data sets of params.yaml that have a `path`; a bad name is noted."""
    names = []
    for name, own in _mapping(_mapping(raw.get("fetch")).get("by_dataset")).items():
        if _mapping(own).get("path") is None:
            continue
        if is_name(name):
            names.append(name)
        else:
            problems.add(
                "fetch.by_dataset", "names of letters, digits, _, . and -, as text", name
            )
    return names


def is_name(name: object) -> bool:
    """Whether a data set may be called that: it is a part of paths."""
    return isinstance(name, str) and bool(
        re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
    )


def _mapping(value: object) -> Mapping[Any, Any]:
    """`value` if it is a mapping, else none at all: other checks will name it."""
    return value if isinstance(value, Mapping) else {}


def with_found(fetch: Mapping[str, Any], complain: Complain) -> dict[str, Any] | None:
    """Return section `fetch` of one data set, completed from the data at its `path`.

    Without a `path` it stays as it is. Class folders are resized where `size` is given.
    `complain(key, what)` is told what is wrong; None where the data cannot be used.
    """
    path, size = fetch.get("path"), fetch.get("size")
    if not isinstance(path, str):
        return dict(fetch)
    try:
        facts = asdict(describe_own(Path(path), size))
    except AbdError as error:
        complain("path", error)
        return None
    for key, found in facts.items():
        given = fetch.get(key)
        if given is not None and str(given) != str(found):
            complain(key, f"expected {found} as in {printable(path)}, got {given!r}")
    return {"resize": size is not None, **fetch, **facts}
