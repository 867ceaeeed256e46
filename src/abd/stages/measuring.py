"""What a vaccine costs: two students' answers to labelled images (method section 6.6)."""

from __future__ import annotations

import torch
from torch import Tensor

from abd.activation import Drop
from abd.data.labelled import load_labelled
from abd.metrics import predict
from abd.nets import build_net
from abd.pixels import to_pixels
from abd.stages.job import Job
from abd.stages.load import normalization, place
from abd.storage.checkpoints import read_net


def measure(job: Job, device: torch.device) -> Drop:
    """Count what the plain and the vaccinated student know of the labelled images."""
    images = job.config["images"]
    x, y = load_labelled(job.inputs["labelled"], images["size"], images["n_classes"])
    pixels, labels = to_pixels(x).to(device), torch.from_numpy(y).to(device)
    return Drop(
        n_plain=_count(job, "plain_student", pixels, labels),
        n_vaccinated=_count(job, "final", pixels, labels),
        n=len(y),
    )


def _count(job: Job, name: str, pixels: Tensor, labels: Tensor) -> int:
    config = job.config
    net = build_net(config["student_net"], config["images"]["n_classes"])
    read_net(job.inputs[name], net)
    answers = predict(place(net, pixels.device), pixels, normalization(job))
    return int((answers == labels).sum())
