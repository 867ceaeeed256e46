"""Stage poison: stamp and relabel the attacker's share, and make the test sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.data.arrays import ArrayDataset
from abd.errors import AbdError
from abd.poisoning import poison_samples, stamp_test_set
from abd.stages.job import Job
from abd.storage.arrays import read_arrays, read_dataset, write_arrays
from abd.storage.assets import read_asset
from abd.storage.files import sha256, write_json
from abd.storage.pictures import write_picture
from abd.triggers import AssetError, Trigger, build_trigger, needs_hard_images

N_PREVIEW = 6


def run(job: Job) -> None:
    """Write poisoned samples, clean and stamped test images, a manifest, a preview."""
    settings = job.config["poison"]
    target = settings["target"]
    dataset = read_dataset(job.inputs["dataset"])
    trigger = _trigger(job)
    try:
        poisoned = poison_samples(
            _training_images(job, dataset),
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
            **_pattern(job),
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


def _trigger(job: Job) -> Trigger:
    """Build the trigger, with the files that params give in place of its own arrays."""
    name, files = job.config["trigger"], job.config["assets"]
    field = f"params.yaml: poison.assets.{name}"
    arrays = {}
    for asset, file in files.items():
        try:
            arrays[asset] = read_asset(Path(file))
        except AbdError as error:
            raise AbdError(f"{field}.{asset}: {error}") from None
    try:
        return build_trigger(name, job.config["size"], job.config["variant"], **arrays)
    except AssetError as error:
        file = files.get(error.asset, "not given")
        raise AbdError(f"{field}.{error.asset}: {file}: {error}") from None
    except ValueError as error:
        raise AbdError(f"{field}: {error}") from None


def _training_images(job: Job, dataset: ArrayDataset) -> np.ndarray:
    """The training images, hard ones in their places where the trigger needs them."""
    trigger = job.config["trigger"]
    if not needs_hard_images(trigger):
        return dataset.x_train
    if "hard" not in job.inputs:
        raise AbdError(
            f"poison: trigger {trigger}: expected the hard images that stage harden makes "
            "(--hard), got none"
        )
    hard = read_arrays(job.inputs["hard"])
    images = dataset.x_train.copy()
    images[hard["idx"]] = hard["images"]
    return images


def _pattern(job: Job) -> dict[str, object]:
    """Where the trigger's pattern comes from: drawn by rule, or files with their hashes."""
    files = job.config["assets"]
    if not files:
        return {"pattern": "procedural", "variant": job.config["variant"]}
    hashes = {
        asset: {"file": file, "sha256": sha256(Path(file))} for asset, file in files.items()
    }
    return {"pattern": "given", "assets": hashes}
