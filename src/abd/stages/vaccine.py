"""Stage vaccine: search shuffles of the teacher that expose its backdoor."""

from __future__ import annotations

from dataclasses import asdict

import torch

from abd.errors import AbdError
from abd.stages.distilling import draw, load_teacher
from abd.stages.job import Job, say
from abd.stages.load import normalization, use_numerics
from abd.storage.arrays import write_arrays
from abd.storage.checkpoints import read_tensors, write_tensors
from abd.storage.files import write_json
from abd.vaccine import first_accepted, score_tail, score_trials

BATCH = 256


def run(job: Job) -> None:
    """Score the cache under every trial's shuffles; take the first with a heavy tail."""
    config, settings = job.config, job.config["vaccine"]
    device = use_numerics(config["numerics"])
    teacher = load_teacher(job, device)
    cache, _ = read_tensors(job.inputs["cache"])
    images, weights = cache["images"], cache["weights"]
    normalize = normalization(job)
    trials = [draw(job, teacher, trial) for trial in range(settings["trials"])]
    batches = (
        normalize(part.to(device)) if part.dtype == torch.uint8 else part.to(device)
        for part in images.split(BATCH)
    )
    scores = score_trials(teacher, trials, batches, settings["direction"]).cpu()
    try:
        tails = [score_tail(row, weights, settings["n_sigmas"]) for row in scores]
    except ValueError as error:
        raise AbdError(f"vaccine: {error}; look at the teacher's weights") from None
    accepted = first_accepted(tails, settings["threshold"])

    chosen = 0 if accepted is None else accepted
    for trial, tail in enumerate(tails):
        say(f"trial {trial}: tail ratio {tail.ratio:.4f}")
    write_json(
        job.outputs["vaccine"],
        {
            "found": accepted is not None,
            "trial": accepted,
            "threshold": settings["threshold"],
            "n_images": len(images),
            "trials": [asdict(tail) for tail in tails],
        },
    )
    write_tensors(
        job.outputs["permutations"],
        {
            f"{member}/{name}": order
            for member, permutations in enumerate(trials[chosen])
            for name, order in permutations.items()
        },
    )
    write_arrays(job.outputs["scores"], scores=scores.numpy(), weights=weights.numpy())
