"""Sends finished runs to MLflow, a sink that nothing in the pipeline reads.

One flat run per teacher and per student, made from what the stages left on disk: its
curve over all stages, its final figures, the parameters that shaped it. Sending again
sends only what is new: a run is found by its key, and the digest of what it holds is
written last.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abd.config.cells import Cell
from abd.config.paths import history_paths
from abd.errors import AbdError
from abd.storage.files import read_json
from abd.storage.records import NAME as RECORD
from abd.storage.results import read_curve

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "abd"
LOCAL = "sqlite:///mlflow.db"
KEY, DIGEST = "abd.key", "abd.digest"
BATCH = 1000  # metrics in one call, MLflow's limit
CURVES = {"loss": "train.loss", "acc": "monitor.acc", "asr": "monitor.asr"}


@dataclass(frozen=True)
class RunRecord:
    """What MLflow is told of one model."""

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    origin: list[object]
    curve: list[dict[str, float]]
    final: dict[str, float]

    @property
    def key(self) -> str:
        """The same for the same model made from the same inputs, params and code."""
        return _digest([self.tags, self.params, self.origin])

    @property
    def digest(self) -> str:
        """The same as long as nothing has to be sent."""
        return _digest(asdict(self))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _figures(results: Path) -> Iterator[Path]:
    """The files with the final figures of every model."""
    return (results / "evaluate").glob("**/metrics.json")


def collect(results: Path) -> Iterator[RunRecord]:
    """Read the record of every evaluated model below `results`."""
    for path in sorted(_figures(results)):
        metrics = read_json(path)
        cell = {f.name: metrics[f.name] for f in fields(Cell) if f.name in metrics}
        if "student" in cell:
            histories = [results.parent / p for p in history_paths(Cell(**cell))]
        else:
            key = path.parent.parent.relative_to(results / "evaluate")
            histories = [results / "teacher" / key / "history.jsonl"]
        if not all(history.is_file() for history in histories):
            continue  # of a cell that is being made anew
        yield RunRecord(
            name=_name(cell),
            tags={
                "kind": "student" if "student" in cell else "teacher",
                **{name: str(value) for name, value in cell.items()},
            },
            params=_params(histories),
            origin=_origin(histories),
            curve=read_curve(histories),
            final={"acc": metrics["acc"], "asr": metrics["asr"]},
        )


def _name(cell: Mapping[str, Any]) -> str:
    """What the table of runs shows first: "digits badnet_sq ood sv s0"."""
    if "student" in cell:
        return "{dataset} {trigger} {source} {defense} s{seed}".format_map(cell)
    return "{dataset} {trigger} teacher t{teacher_seed}".format_map(cell)


def _params(histories: list[Path]) -> dict[str, str]:
    """The slices of params of the stages that wrote these histories, flattened."""
    params: dict[str, str] = {}
    for history in histories:
        record = history.parent / RECORD
        if record.is_file():
            contents = read_json(record)
            params |= _flat(contents["stage"], contents["config"])
    return params


def _origin(histories: list[Path]) -> list[object]:
    """Code and input hashes of the stages that wrote these histories.

    The teacher's hash is among the inputs, so that it stands for what made the teacher.
    """
    records = [h.parent / RECORD for h in histories if (h.parent / RECORD).is_file()]
    return [[c["code"], c["inputs"]] for c in map(read_json, records)]


def _flat(prefix: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {
            k: v
            for key, item in value.items()
            for k, v in _flat(f"{prefix}.{key}", item).items()
        }
    return {prefix: json.dumps(value) if isinstance(value, list) else str(value)}


def sync(results: Path) -> None:
    """Send every run that MLflow does not hold as it is now; print what was done.

    The server is `MLFLOW_TRACKING_URI`, else a local SQLite file. Raises AbdError where
    it cannot be reached; nothing is lost, a later call sends it.
    """
    if not any(_figures(results)):
        print("MLflow: nothing to send yet, no model was evaluated")
        return
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    # After the import, which sets its own levels.
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    uri = os.environ.get("MLFLOW_TRACKING_URI", LOCAL)
    n_sent = n_same = 0
    try:
        with _one_sender():
            client = MlflowClient(uri)
            experiment = _experiment(client)
            known = _known(client, experiment)
            for record in collect(results):
                run = known.get(record.key)
                if run is not None and run[1] == record.digest:
                    n_same += 1
                    continue
                _send(client, experiment, record, run[0] if run else None)
                n_sent += 1
    except (MlflowException, OSError) as error:
        raise AbdError(
            f"MLflow at {uri}: expected to send runs, got {_first_line(error)}; "
            "nothing is lost: send them later with abd track sync"
        ) from None
    print(f"MLflow at {uri}: {n_sent} run(s) sent, {n_same} unchanged")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def _one_sender() -> Iterator[None]:
    """Wait until no other process sends."""
    path = Path("work", "track.lock")
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _experiment(client: MlflowClient) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id if found else client.create_experiment(EXPERIMENT))


def _known(client: MlflowClient, experiment: str) -> dict[str, tuple[str, str | None]]:
    """Run id and digest of every run that is there, by key."""
    known: dict[str, tuple[str, str | None]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            tags = run.data.tags
            if KEY in tags:
                known[tags[KEY]] = (run.info.run_id, tags.get(DIGEST))
        token = page.token
        if not token:
            return known


def _send(
    client: MlflowClient, experiment: str, record: RunRecord, run_id: str | None
) -> None:
    from mlflow.entities import Metric, Param

    if run_id is None:
        tags: dict[str, Any] = {**record.tags, KEY: record.key}
        run_id = client.create_run(experiment, tags=tags).info.run_id
    client.update_run(run_id, name=record.name)
    # MLflow keeps one value per key, step and time: times derived from the run's own
    # start make a second sending of the same point leave no trace.
    start = client.get_run(run_id).info.start_time
    metrics = [
        Metric(
            CURVES.get(name, name), value, start + int(point["step"]), int(point["step"])
        )
        for point in record.curve
        for name, value in point.items()
        if name != "step"
    ]
    last = int(record.curve[-1]["step"]) if record.curve else 0
    metrics += [Metric(k, v, start + last, last) for k, v in record.final.items()]
    params = [Param(k, v) for k, v in sorted(record.params.items())]
    for i in range(0, len(params), 100):
        client.log_batch(run_id, params=params[i : i + 100])
    for i in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[i : i + BATCH])
    client.set_tag(run_id, DIGEST, record.digest)
    client.set_terminated(run_id)
