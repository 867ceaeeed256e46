"""Says what planning found wrong in the words of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from abd.config.sections import ProblemsError
from abd.errors import AbdError

# Where the params that the options become have what each option says.
GRID = "experiments.purify.grids"
GIVEN = "by_dataset.given"
OPTIONS = {
    f"{GRID}.teacher": "--arch",
    f"{GRID}.student": "--student",
    f"{GRID}.0.seeds": "--seed",
    f"fetch.{GIVEN}.n_classes": "--classes",
    f"fetch.{GIVEN}.size": "--size",
    f"fetch.{GIVEN}.mean": "--normalize",
    f"fetch.{GIVEN}.std": "--normalize",
    "patches.photos": "--image",
    "numerics.device": "--device",
    "numerics.threads": "--threads",
    "budget": "--budget",
}


@contextmanager
def in_options() -> Iterator[None]:
    """Name options in place of keys, where an option says what a key holds."""
    try:
        yield
    except ProblemsError as error:
        lines = list(dict.fromkeys(map(_said, error.lines)))
        head = f"purify: {len(lines)} problem(s); nothing was started"
        raise AbdError("\n  ".join([head, *lines])) from None


def _said(line: str) -> str:
    key, _, what = line.partition(": ")
    for ours, option in OPTIONS.items():
        if key == ours or key.startswith(f"{ours}."):
            return f"{option}: {what}"
    return f"{line} (a key of params.yaml: --settings, or --budget where rounds are few)"
