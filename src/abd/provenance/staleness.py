"""Why results are not those that a plan asks for: one answer for all who want to know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Spec(Protocol):
    """What a plan tells a job."""

    @property
    def config(self) -> str:
        """Its slice of the params, as JSON."""
        ...

    @property
    def code(self) -> str:
        """The digest of its code."""
        ...


def reasons(
    record: Mapping[str, Any],
    specs: Sequence[Spec],
    digest: Callable[[str], str | None],
) -> list[str]:
    """Say why what a record tells of is stale; nothing where it is current.

    specs: the jobs that are asked for in its place, any of which will do; none where it is
    not known. digest: the sha256 of an input as it is now, None where that is not known.
    """
    found = []
    changed = [
        path
        for path, expected in record["inputs"].items()
        if (actual := digest(path)) is not None and actual != expected
    ]
    if changed:
        found.append(f"made from another {', '.join(sorted(changed))}")
    made = record["config"], record["code"]
    if specs and not any(made == (json.loads(spec.config), spec.code) for spec in specs):
        same_code = any(record["code"] == spec.code for spec in specs)
        what = "params" if same_code else "code"
        found.append(f"made with other {what} than are planned now")
    return found
