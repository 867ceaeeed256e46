"""Sends finished runs to MLflow, a sink that nothing in the pipeline reads.

One flat run per teacher and per student (`abd.provenance.runs`): its curve over all stages,
its final figures, the parameters that shaped it, what its jobs took of their machine, and
the figures that show it. Sending again sends only what is new: a run is found by its key,
and the digest of what it holds is written last.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abd.errors import AbdError
from abd.provenance.runs import RunRecord, collect, metrics_files
from abd.storage.locks import held

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT = "abd"
SQLITE = "sqlite:///"
LOCAL = f"{SQLITE}mlflow.db"
KEY, DIGEST, SHOWN = "abd.key", "abd.digest", "abd.shown"
LATEST = "latest"  # of the runs of one model: whether it is the one last seen in results
# What MLflow takes in one call.
MANY_METRICS, MANY_PARAMS = 1000, 100


def sync(results: Path, reports: Path) -> None:
    """Send every run that MLflow does not hold as it is now; print what was done.

    The server is `MLFLOW_TRACKING_URI`, else a local SQLite file; the experiment
    `MLFLOW_EXPERIMENT_NAME`, else "abd". Raises AbdError where it cannot be reached, and
    nothing is lost, a later call sends it; or, with all others sent, naming the models
    whose files are damaged.
    """
    if not any(metrics_files(results)):
        print("MLflow: nothing to send yet, no model was evaluated")
        return
    errors = set_up_mlflow()
    from mlflow import MlflowClient

    uri = os.environ.get("MLFLOW_TRACKING_URI") or LOCAL
    check_local(uri)
    n_sent = n_same = 0
    damaged: list[str] = []
    try:
        with held(Path("work", "track.lock")):
            client = MlflowClient(uri)
            experiment = _experiment(client)
            known = _known(client, experiment)
            for record in collect(results, reports):
                if isinstance(record, AbdError):
                    damaged.append(str(record))
                    continue
                run = known.get(record.key)
                if run is not None and run.holds(record):
                    n_same += 1
                else:
                    run = _send(client, experiment, record, run)
                    n_sent += 1
                _mark_latest(client, record, run, known.values())
    except errors as error:
        raise AbdError(
            f"MLflow at {uri}: expected to send runs, got {reason(error)}; "
            "nothing is lost: send them later with abd track sync"
        ) from None
    print(f"MLflow at {uri}: {n_sent} run(s) sent, {n_same} unchanged")
    if damaged:
        raise AbdError("\n  ".join([f"MLflow: {len(damaged)} run(s) not sent", *damaged]))


def set_up_mlflow() -> tuple[type[Exception], ...]:
    """Import MLflow, and return what it raises where a store cannot be reached or read.

    Without telemetry, minutes of waiting, or lines of what it does.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # seconds
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("alembic", "mlflow"):  # after the import, which sets levels of its own
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowException, SQLAlchemyError, OSError


def check_local(uri: str) -> None:
    """Raise AbdError where the file of a local store cannot be read.

    MLflow itself would try again and again, for minutes.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or not path.exists():
        return
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            db.execute("select count(*) from sqlite_master")
    except sqlite3.Error as error:
        raise AbdError(
            f"{path}: expected a database of MLflow, got: {error}; wait if it is at work, "
            "or move it away: all runs can be sent again"
        ) from None


def reason(error: BaseException) -> str:
    """Why MLflow could not be reached, in a line: what the system said, if it did."""
    found: BaseException | None = error
    said = str(error)
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            said = found.strerror
        found = found.__cause__ or found.__context__
    return next(iter(said.splitlines()), type(error).__name__)


def experiment_name() -> str:
    """The experiment of MLflow that holds the runs."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)


def _experiment(client: MlflowClient) -> str:
    name = experiment_name()
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


@dataclass(frozen=True)
class _Known:
    """A run that MLflow holds; its tags say whose it is, and digest what is there."""

    run_id: str
    tags: Mapping[str, str]

    def holds(self, record: RunRecord) -> bool:
        digests = self.tags.get(DIGEST), self.tags.get(SHOWN)
        return digests == (record.digest, record.shown)

    def is_of(self, record: RunRecord) -> bool:
        """Whether it is of the same model, made from whatever params and code."""
        return all(self.tags.get(name) == value for name, value in record.tags.items())


def _known(client: MlflowClient, experiment: str) -> dict[str, _Known]:
    """The runs that are there, by key."""
    known: dict[str, _Known] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            tags = run.data.tags
            if KEY in tags:
                known[tags[KEY]] = _Known(run.info.run_id, tags)
        token = page.token
        if not token:
            return known


def _send(
    client: MlflowClient, experiment: str, record: RunRecord, run: _Known | None
) -> _Known:
    """Send what a run lacks; what MLflow holds already leaves no second trace."""
    if run is None:
        tags: dict[str, Any] = {**record.tags, KEY: record.key}
        start = int(1000 * (time.time() - (record.seconds or 0)))
        made = client.create_run(experiment, start_time=start, tags=tags)
        run = _Known(made.info.run_id, tags)
    if run.tags.get(DIGEST) != record.digest:
        _send_values(client, run.run_id, record)
    if run.tags.get(SHOWN) != record.shown:
        for folder, path, _ in record.artifacts:
            client.log_artifact(run.run_id, path, folder or None)
        client.set_tag(run.run_id, SHOWN, record.shown)
    return run


def _mark_latest(
    client: MlflowClient, record: RunRecord, run: _Known, known: Iterable[_Known]
) -> None:
    """Tell a model's run as it is in the results from those of other params or code."""
    for other in known:
        is_older = other.run_id != run.run_id and other.is_of(record)
        if is_older and other.tags.get(LATEST) != "no":
            client.set_tag(other.run_id, LATEST, "no")
    if run.tags.get(LATEST) != "yes":
        client.set_tag(run.run_id, LATEST, "yes")


def _send_values(client: MlflowClient, run_id: str, record: RunRecord) -> None:
    from mlflow.entities import Param, RunTag

    client.update_run(run_id, name=record.name)
    start = client.get_run(run_id).info.start_time
    params = [Param(k, v) for k, v in sorted(record.params.items())]
    for i in range(0, len(params), MANY_PARAMS):
        client.log_batch(run_id, params=params[i : i + MANY_PARAMS])
    metrics = [*_metrics(record, start), *_system_metrics(record.system)]
    for i in range(0, len(metrics), MANY_METRICS):
        client.log_batch(run_id, metrics=metrics[i : i + MANY_METRICS])
    # The UI's duration: not that of sending, where it is known what the jobs took.
    took = None if record.seconds is None else start + round(1000 * record.seconds)
    client.set_terminated(run_id, end_time=took)
    made = [RunTag(k, v) for k, v in record.made.items()]
    client.log_batch(run_id, tags=[*made, RunTag(DIGEST, record.digest)])


def _metrics(record: RunRecord, start: int) -> Iterator[Metric]:
    """The curve and the final figures.

    MLflow keeps one value per key, step and time: these times, made from the run's own
    start, are the same whenever a point is sent.
    """
    from mlflow.entities import Metric

    for point in record.curve:
        step = int(point["step"])
        for name, value in point.items():
            if name != "step":
                yield Metric(name, value, start + step, step)
    last = int(record.curve[-1]["step"]) if record.curve else 0
    for name, value in record.final.items():
        yield Metric(name, value, start + last, last)


def _system_metrics(samples: Sequence[Mapping[str, float]]) -> Iterator[Metric]:
    """What the jobs took, under the names that the UI has a page for.

    A step is a second since the first sample: a job that adds to its samples moves none.
    """
    from mlflow.entities import Metric

    for sample in samples:
        step = round((sample["time"] - samples[0]["time"]) / 1000)
        for name, value in sample.items():
            if name != "time":
                yield Metric(f"system/{name}", value, int(sample["time"]), step)
