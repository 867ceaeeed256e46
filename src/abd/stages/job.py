"""One job: a stage with its slice of the params, its inputs and its outputs."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abd.config.paths import system_path
from abd.digest import code_digest
from abd.errors import AbdError
from abd.stages.sampling import sampled
from abd.storage.files import remove_unfinished
from abd.storage.locks import held
from abd.storage.records import check_artifact, read_record, record_path, write_record

WORK = Path("work")
RESULTS = Path("results")
LOCK = "lock"  # beside the working checkpoints
OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory", re.I)


class Given(dict[str, Path]):
    """The files that a stage was given, by name; AbdError for one that it lacks."""

    def __missing__(self, name: str) -> Path:
        raise AbdError(
            f"--{name.replace('_', '-')}: expected a file, got none; this slice needs it"
        )


@dataclass(frozen=True)
class Job:
    """What a stage's `run` is given.

    config: the slice of the params. inputs, outputs: paths by the names in `STAGES`.
    key: what tells this job's working checkpoints from those of other params, other code
    or other inputs. options: what shapes no number, by the names in `STAGES`.
    """

    stage: str
    config: Mapping[str, Any]
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    key: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """The folder of this job's working checkpoints, by the folder of its results."""
        folder = next(iter(self.outputs.values())).parent
        return (
            WORK / folder.relative_to(RESULTS)
            if folder.is_relative_to(RESULTS)
            else (folder / WORK)
        )

    @property
    def samples(self) -> Path | None:
        """Where samples of the machine go; None for a job that writes no history."""
        history = self.outputs.get("history")
        if history is None or not history.is_relative_to(RESULTS):
            return None
        return Path(system_path(str(history)))


def run_job(
    stage: str,
    config: Mapping[str, Any],
    code: str,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
    options: Mapping[str, str] | None = None,
) -> None:
    """Check code and inputs, run the stage, and leave a record beside its outputs.

    Where another process makes the same outputs it waits for that one, and takes what it
    made. Raises AbdError where the code is not what was planned, or an input is missing or
    damaged.
    """
    actual = code_digest(stage, config.get("members", ()))
    if code != actual:
        raise AbdError(
            f"{stage}: expected the code that this run was planned with ({code}), got "
            f"{actual}: it was edited since; start snakemake again"
        )
    digests = {name: check_artifact(path) for name, path in inputs.items()}
    text = json.dumps([stage, config, code, digests], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    module = importlib.import_module(f"abd.stages.{stage}")
    job = Job(stage, config, Given(inputs), outputs, key, options or {})
    with held(job.work / LOCK, lambda holder: say(_waiting(stage, holder))) as waited:
        if waited and _is_made(outputs.values(), key):
            say(f"{stage}: the results are those of that process")
            return
        for path in outputs.values():
            remove_unfinished(path, record_path(path))
        with (
            sampled(job.samples, key) if job.samples else nullcontext(),
            _memory_in_words(stage),
        ):
            facts = module.run(job)
        write_record(
            stage,
            config=config,
            code=code,
            inputs=inputs,
            outputs=outputs,
            facts=facts or {},
            planned=_planned(),
            key=key,
        )


def _waiting(stage: str, holder: str) -> str:
    return f"{stage}: {holder} makes the same results: waiting for it to end"


def _is_made(outputs: Iterable[Path], key: str) -> bool:
    """Whether outputs are there, whole, and those of the job with this key."""
    try:
        for path in outputs:
            check_artifact(path)
            if read_record(record_path(path))["key"] != key:
                return False
    except AbdError:
        return False
    return True


@contextmanager
def _memory_in_words(stage: str) -> Iterator[None]:
    """Say in one line that a job ran out of memory; torch has several errors for that."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error).strip().partition("\n")[0] or "none left"
        if not isinstance(error, MemoryError) and not OUT_OF_MEMORY.search(text):
            raise
        raise AbdError(
            f"{stage}: expected enough memory, got: {text}; what a working checkpoint "
            "holds is kept: give the job more memory, or lower its batch or cache size"
        ) from error


def _planned() -> dict[str, str | None]:
    """What Snakemake planned this run from; None each for a stage that was run by hand."""
    params = os.environ.get("ABD_PLAN")
    return {
        "commit": os.environ.get("ABD_COMMIT") or None,
        "params": Path(params).stem if params else None,
    }


def say(line: str) -> None:
    """Write a line for people to the job's log."""
    print(line, file=sys.stderr, flush=True)
