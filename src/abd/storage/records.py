"""Provenance: what made each artifact, and whether it still is what was made.

Every stage leaves a `record.json` beside its outputs: the sha256 of its inputs and
outputs, its slice of the params, the digest of its code, versions and device. A stage that
reads an artifact compares it with the record first. A record holds a sha256 of the rest
of it.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from abd import __version__
from abd.errors import AbdError
from abd.storage.files import json_text, read_json, sha256, write_json
from abd.storage.machine import compiler_version, device_name

NAME = "record.json"
PACKAGES = ("numpy", "torch", "torchvision")


def record_path(artifact: Path) -> Path:
    """Where the record of an artifact lies: in the same folder."""
    return artifact.parent / NAME


def write_record(
    stage: str,
    *,
    config: Mapping[str, Any],
    code: str,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
    facts: Mapping[str, object],
    planned: Mapping[str, str | None],
    key: str,
) -> None:
    """Write the record of the job that made `outputs`, beside them.

    `facts` is what the stage says of its work: rounds done, what it reused. `planned` is
    what its run was planned from: the commit, and the digest of params.yaml. `key` is the
    job's own (`abd.stages.job.Job`).
    """
    files = [*inputs.items(), *outputs.items()]
    numerics = config.get("numerics", {})
    device = numerics.get("device", "cpu")
    compiled = numerics.get("compile", False) and device == "cpu"
    record = {
        "stage": stage,
        "command": ["abd", stage, *(f"--{k}={v}" for k, v in files)],
        "config": config,
        "code": code,
        "facts": facts,
        "key": key,
        "planned": planned,
        "inputs": {str(path): sha256(path) for path in inputs.values()},
        "outputs": {path.name: sha256(path) for path in outputs.values()},
        "versions": {
            "abd": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
            **({"compiler": compiler_version()} if compiled else {}),
        },
        "device": device_name(device),
    }
    record["sha256"] = _digest(record)
    for folder in {path.parent for path in outputs.values()}:
        write_json(folder / NAME, record)


def read_record(path: Path) -> dict[str, Any]:
    """Read a record; AbdError where a single byte of it is not as it was written."""
    record = read_json(path)
    if not isinstance(record, dict) or "sha256" not in record:
        raise AbdError(f"{path}: expected a record with its sha256, got none")
    try:
        whole = path.read_bytes() == json_text(record).encode()
        expected = record.pop("sha256")
        whole = whole and expected == _digest(record)
    except ValueError:  # of a number that JSON does not have
        whole = False
    if not whole:
        raise AbdError(f"{path}: expected the record that was written, got another")
    return record


def records_beside(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The records of the jobs that wrote these files, as far as there are any."""
    found = map(record_path, paths)
    return [read_json(path) for path in found if path.is_file()]


def recorded_digest(path: Path) -> str | None:
    """The sha256 of a result as the record beside it has it; None where it has none."""
    digests: list[str | None] = [
        r["outputs"].get(path.name) for r in records_beside([path])
    ]
    return digests[0] if digests else None


def _has_record(path: Path, *, made: bool) -> bool:
    """Whether a file is a job's output, by what lies beside it.

    Beside one that is not known to be `made` here a file of that name may be anybody's.
    """
    record = record_path(path)
    if not record.is_file() or made:
        return record.is_file()
    try:
        contents = read_json(record)
    except AbdError:
        return False
    return isinstance(contents, dict) and {"stage", "outputs"} <= contents.keys()


def _digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of what a record says."""
    return hashlib.sha256(json_text(record).encode()).hexdigest()


def check_artifact(path: Path, *, made: bool | None = None) -> str:
    """Return the sha256 of an artifact after comparing it with its record.

    `made`: whether it is certainly a result; None: if it lies below results/.

    Raises AbdError naming the file, and how it is made anew, where it is missing or not
    what its stage wrote. A file that has no record is taken as it is.
    """
    remake = f"make it anew with: snakemake -R {path} -- {path}"
    if not path.exists():
        raise AbdError(f"{path}: expected an artifact, got no file; {remake}")
    try:
        actual = sha256(path)
    except OSError as error:
        raise AbdError(f"{path}: expected a readable artifact, got {error}") from None
    record = record_path(path)
    if made is None:
        made = path.is_relative_to("results")
    if _has_record(path, made=made):
        try:
            contents = read_json(record)
            expected, stage = contents["outputs"][path.name], contents["stage"]
            if not isinstance(expected, str):
                raise TypeError(f"sha256 of {path.name}: {expected!r}")
        except (AbdError, LookupError, TypeError) as error:
            raise AbdError(f"{record}: damaged ({error}); {remake}") from None
        if expected != actual:
            raise AbdError(
                f"{path}: damaged: expected sha256 {expected[:12]} as written by rule "
                f"{stage}, got {actual[:12]}; {remake}"
            )
    return actual
