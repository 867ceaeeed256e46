"""Histories: the points of a curve, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from abd.errors import AbdError
from abd.history import Record
from abd.storage.files import write_text


def write_history(path: Path, records: Iterable[Record]) -> None:
    """Write records as lines of {"step": ..., name: value, ...}."""
    lines = [json.dumps({"step": r.step, **r.values}, sort_keys=True) for r in records]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_curve(paths: Iterable[Path]) -> list[dict[str, float]]:
    """Join the histories of stages that went on from each other into one curve.

    A stage may begin before the end of the one before it, as retrospect does at lambda:
    from there on its own points count.
    """
    curve: list[dict[str, float]] = []
    for path in paths:
        points = read_history(path)
        if points:
            curve = [p for p in curve if p["step"] < points[0]["step"]] + points
    return curve


def last_value(curve: Iterable[Mapping[str, float]], name: str) -> float | None:
    """The last value of that name in a curve; None where it has none."""
    values = [point[name] for point in curve if name in point]
    return values[-1] if values else None


def read_history(path: Path) -> list[dict[str, float]]:
    """Read the lines of a history; AbdError where it is not there, or not whole."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise AbdError(f"{path}: expected a history, got {error}") from None
