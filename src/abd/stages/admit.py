"""Stage admit: take in a teacher trained elsewhere, running nothing of its file."""

from __future__ import annotations

import torch

from abd.errors import AbdError
from abd.nets import build_net
from abd.seeding import torch_stream
from abd.stages.job import Job
from abd.stages.load import normalization
from abd.storage.checkpoints import write_net
from abd.storage.foreign import read_foreign_net

N_LOOKED_AT = 16


def run(job: Job) -> None:
    """Read weights that fit the network; refuse one whose answer no image changes."""
    config = job.config
    images = config["images"]
    net = build_net(config["net"], images["n_classes"])
    read_foreign_net(job.inputs["file"], net)
    shape = (N_LOOKED_AT, 3, images["size"], images["size"])
    stream = torch_stream(0, "admit")
    pixels = torch.randint(256, shape, generator=stream).to(torch.uint8)
    with torch.no_grad():
        logits = net.eval()(normalization(job)(pixels))
    if not bool(logits.isfinite().all()):
        raise AbdError(
            f"{job.inputs['file']}: expected a teacher with finite outputs, got NaN or inf "
            "for random images"
        )
    if bool((logits == logits[0]).all()):
        raise AbdError(
            f"{job.inputs['file']}: expected a teacher whose answer depends on the image, "
            f"got the same for {N_LOOKED_AT} random ones: there is nothing to distil"
        )
    write_net(job.outputs["weights"], net)
