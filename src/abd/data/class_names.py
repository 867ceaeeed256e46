"""What names a user's classes may have: reports, records and terminals print them."""

from __future__ import annotations

from collections.abc import Sequence

from abd.errors import printable


def check_class_names(names: Sequence[str]) -> None:
    """Raise ValueError unless there are two or more, all printable and none twice."""
    if len(names) < 2:
        raise ValueError(f"expected 2 or more, got {len(names)}")
    for k, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"expected a name for every class, got '{name}' for class {k}")
        if printable(name) != name:
            raise ValueError(
                "expected names in UTF-8 without line breaks or other control characters, "
                f"got '{printable(name)}' for class {k}"
            )
    first = dict.fromkeys(names)
    if len(first) < len(names):
        twice = next(name for name in first if names.count(name) > 1)
        raise ValueError(f"expected every name once, got '{twice}' more than once")
