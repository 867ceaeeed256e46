"""Stage fetch: read a data set into one file, whatever its source."""

from __future__ import annotations

from abd.data import build_dataset
from abd.errors import AbdError
from abd.stages.job import Job
from abd.storage.arrays import write_dataset


def run(job: Job) -> None:
    """Read the data set and check it against section `fetch`."""
    name, expected = job.config["dataset"], job.config["fetch"]
    try:
        dataset = build_dataset(name)
    except ValueError as error:
        raise AbdError(f"data set {name}: {error}") from None
    for key, got in (
        ("size", dataset.size),
        ("n_classes", dataset.n_classes),
        ("n_train", len(dataset.x_train)),
    ):
        if expected[key] != got:
            raise AbdError(
                f"params.yaml: fetch.by_dataset.{name}.{key}: expected {got} as in the "
                f"data, got {expected[key]}"
            )
    write_dataset(job.outputs["dataset"], dataset)
