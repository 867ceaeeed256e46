"""Outputs that no experiment of params.yaml asks for: what a dropped cell leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from abd.config import Plan
from abd.config.cells import expand
from abd.config.paths import report_files, rulegraph_path, stage_files
from abd.storage.records import NAME as RECORD


def unasked(plan: Plan, root: Path) -> list[Path]:
    """Return the files below `root` that no experiment asks for, in order of their names.

    Every experiment counts, also one that is not in `run` or cannot run as it is.
    """
    cells = [cell for e in plan.top.experiments.values() for cell in expand(e)]
    asked = {root / path for path in stage_files(cells)}
    kept = {path.parent for path in asked}
    names = list(plan.top.experiments)
    reports = {root / path for path in [*report_files(names), *map(rulegraph_path, names)]}
    found = [
        path
        for path in _files(root / "results")
        if path not in asked and not (path.name == RECORD and path.parent in kept)
    ]
    for folder in ("pages", "figures", "rulegraphs"):
        found += [
            path
            for path in _files(root / "reports" / folder)
            if path not in reports and path.parent not in reports
        ]
    return sorted(found)


def _files(folder: Path) -> Iterator[Path]:
    """Every file and link below a folder."""
    return (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def delete(paths: list[Path], root: Path) -> None:
    """Delete files, and the folders that they leave empty, up to `root`."""
    for path in paths:
        path.unlink()
        for folder in path.parents:
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()
