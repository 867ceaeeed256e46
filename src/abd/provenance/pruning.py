"""Outputs that no experiment asks for: what cells leave that were dropped from params."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from abd.config.cells import Cell
from abd.config.paths import report_files, rulegraph_path
from abd.config.stage_jobs import stage_files
from abd.errors import AbdError
from abd.storage.files import files_below
from abd.storage.records import NAME as RECORD

LOCKS = Path(".snakemake", "locks")


def unasked(experiments: Iterable[str], cells: Iterable[Cell], root: Path) -> list[Path]:
    """Return the files below `root` that these do not ask for, in order of their names.

    experiments: those whose reports stay; cells: those of all of them.
    """
    asked = {root / path for path in stage_files(cells)}
    kept = {path.parent for path in asked}
    names = list(experiments)
    reports = {root / path for path in [*report_files(names), *map(rulegraph_path, names)]}
    found = [
        path
        for path in files_below(root / "results")
        if path not in asked and not (path.name == RECORD and path.parent in kept)
    ]
    for folder in ("pages", "figures", "rulegraphs"):
        found += [
            path
            for path in files_below(root / "reports" / folder)
            if path not in reports and path.parent not in reports
        ]
    return sorted(found)


def delete(paths: list[Path], root: Path) -> None:
    """Delete files, and the folders that they leave empty, up to `root`.

    Raises AbdError, and deletes none, while Snakemake works there: its jobs' files may be
    among them.
    """
    if any((root / LOCKS).glob("*")):
        raise AbdError(
            f"abd prune: expected no Snakemake at work here, got a lock in {root / LOCKS}; "
            "wait for it, or after a kill say: snakemake --unlock"
        )
    for path in paths:
        path.unlink()
        for folder in path.parents:
            if folder == root or folder.is_symlink() or any(folder.iterdir()):
                break
            folder.rmdir()
