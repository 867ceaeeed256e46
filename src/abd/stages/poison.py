"""Stage poison: stamp and relabel the attacker's share, and make the test sets."""

from __future__ import annotations

import numpy as np

from abd.errors import AbdError
from abd.poisoning import poison_samples, stamp_test_set
from abd.stages.job import Job
from abd.storage.arrays import read_dataset, write_arrays
from abd.storage.files import write_json
from abd.storage.pictures import write_picture
from abd.triggers import build_trigger

N_PREVIEW = 6


def run(job: Job) -> None:
    """Write poisoned samples, clean and stamped test images, a manifest, a preview."""
    settings = job.config["poison"]
    target = settings["target"]
    dataset = read_dataset(job.inputs["dataset"])
    trigger = build_trigger(job.config["trigger"], job.config["size"])
    try:
        poisoned = poison_samples(
            dataset.x_train,
            dataset.y_train,
            trigger,
            target,
            settings["rate"],
            settings["holdout"],
        )
    except ValueError as error:
        raise AbdError(f"params.yaml: {error}") from None
    write_arrays(
        job.outputs["poisoned"],
        idx=poisoned.idx,
        images=poisoned.images,
        labels=poisoned.labels,
    )
    stamped = stamp_test_set(dataset.x_test, dataset.y_test, trigger, target)
    write_arrays(
        job.outputs["test"],
        images=dataset.x_test,
        labels=dataset.y_test,
        stamped=stamped,
        target=np.array(target),
    )
    write_json(
        job.outputs["manifest"],
        {
            "trigger": trigger.name,
            "pattern": "procedural",
            "clean_label": trigger.clean_label,
            "target": target,
            "target_name": dataset.class_names[target],
            "n_train": len(dataset.x_train),
            "n_poisoned": len(poisoned.idx),
            "n_test": len(dataset.x_test),
            "n_stamped": len(stamped),
        },
    )
    clean = dataset.x_test[dataset.y_test != target]
    write_picture(
        job.outputs["preview"], np.stack([clean[:N_PREVIEW], stamped[:N_PREVIEW]])
    )
