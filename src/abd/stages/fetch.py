"""Stage fetch: read a data set into one file, whatever its source."""

from __future__ import annotations

from pathlib import Path

from abd.data import ArrayDataset, Raw, build_dataset
from abd.data.order import shuffle_class_runs
from abd.data.statistics import channel_statistics
from abd.errors import AbdError
from abd.registry import load_object
from abd.stages.job import Job
from abd.storage.arrays import write_dataset
from abd.storage.files import write_json


def run(job: Job) -> dict[str, object]:
    """Read the data set, check it against section `fetch`, shuffle what is sorted.

    Leaves the data set, and the statistics that normalise it where params give none.
    """
    name, expected = job.config["dataset"], job.config["fetch"]
    try:
        dataset, shuffled = shuffle_class_runs(_read(job))
        mean, std = channel_statistics(dataset.x_train)
    except ValueError as error:
        raise AbdError(f"{job.inputs.get('data', name)}: {error}") from None
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
    write_json(job.outputs["statistics"], {"mean": mean, "std": std})
    return {"shuffled": shuffled}


def _read(job: Job) -> ArrayDataset:
    """The user's data where there are any, else those of the registered data set."""
    settings = job.config["fetch"]
    if "data" in job.inputs:
        path, size = job.inputs["data"], settings["size"]
        # By name: the digest of other data sets' jobs must not hold this reader.
        load_own = load_object("abd.data.own:load_own")
        return load_own(path, size, resize=settings["resize"])
    raw = Raw(
        root=Path(job.options["root"]),
        download=job.options["download"] == "true",
        size=settings["size"],
    )
    return build_dataset(job.config["dataset"], raw)
