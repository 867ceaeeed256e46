"""Whether everything below `results/` is what its records say, and is current."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from abd.errors import AbdError
from abd.provenance.staleness import Spec, reasons
from abd.storage.files import files_below, sha256
from abd.storage.records import NAME, read_record

Kind = Literal["damaged", "missing", "stale", "foreign", "orphaned"]


@dataclass(frozen=True)
class Finding:
    """A file that is not as it should be, and what is wrong with it.

    damaged: not the bytes that its stage wrote. missing: recorded, and not there. stale:
    made from inputs, params or code that are others now. foreign: no stage wrote it.
    orphaned: whole, and no experiment asks for it.
    """

    kind: Kind
    path: Path
    what: str


def verify(root: Path, asked: Mapping[str, Sequence[Spec]]) -> tuple[int, list[Finding]]:
    """Check every file below `root / "results"`; return their number and what was found.

    asked: the specs of the jobs that plans ask for, by folder; none for a folder that is
    asked for by what cannot be planned. Paths are relative to `root`, as in the records.
    Raises AbdError where there are no results.
    """
    results = root / "results"
    if not results.is_dir():
        raise AbdError(
            f"{results}: expected a folder of results, got none; make them with snakemake, "
            "or fetch them with dvc pull"
        )
    files = sorted(path.relative_to(root) for path in files_below(results))
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    digest = cache(lambda path: sha256(root / path))
    found = [
        finding
        for folder, own in folders.items()
        for finding in _check(root, folder, own, asked.get(str(folder)), digest)
    ]
    return len(files), sorted(found, key=lambda finding: finding.path)


def _check(
    root: Path, folder: Path, files: list[Path], specs: Sequence[Spec] | None, digest: Any
) -> Iterator[Finding]:
    record_path = folder / NAME
    if record_path not in files:
        yield from (
            Finding("foreign", path, f"no {NAME} says what made it") for path in files
        )
        return
    try:
        record = read_record(root / record_path)
    except (AbdError, OSError) as error:
        yield Finding("damaged", record_path, str(error))
        return
    outputs = record["outputs"]
    for name, expected in outputs.items():
        path = folder / name
        if path not in files:
            yield Finding("missing", path, f"{record_path} names it")
        elif (actual := _digest(path, digest)) != expected:
            yield Finding(
                "damaged", path, f"expected sha256 {expected[:12]}, got {actual[:12]}"
            )
    for path in files:
        if path != record_path and path.name not in outputs:
            yield Finding("foreign", path, f"{record_path} does not name it")
    for why in reasons(record, specs or (), lambda path: _digest(Path(path), digest)):
        yield Finding("stale", folder, why)
    if specs is None:
        yield Finding("orphaned", folder, "no experiment asks for it")


def _digest(path: Path, digest: Any) -> str:
    """The sha256 of a file or folder; what is wrong where it cannot be read."""
    try:
        found: str = digest(path)
    except OSError as error:
        return f"({error.strerror})"
    return found
