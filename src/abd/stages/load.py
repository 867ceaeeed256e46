"""What several stages load alike: numerics, networks, sources, test sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from abd.metrics import EvalSet
from abd.nets import build_net
from abd.pixels import Normalization, to_pixels
from abd.seeding import torch_stream
from abd.sources import SOURCES
from abd.sources.base import Context, Source
from abd.stages.job import Job
from abd.storage.arrays import read_arrays
from abd.storage.checkpoints import read_net
from abd.vaccine import ShuffledTeacher


def use_numerics(numerics: Mapping[str, Any]) -> torch.device:
    """Set threads and determinism for this process; return the device."""
    torch.set_num_threads(numerics["threads"])
    torch.use_deterministic_algorithms(numerics["deterministic"])
    return torch.device(numerics["device"])


def normalization(images: Mapping[str, Any]) -> Normalization:
    """The normalisation of a data set's images."""
    return Normalization(tuple(images["mean"]), tuple(images["std"]))


def place(net: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to the device, in the memory layout that convolutions like."""
    return net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def load_teacher(job: Job, device: torch.device) -> nn.Module:
    """Load the frozen teacher, in eval mode."""
    config = job.config
    net = build_net(config["teacher_net"], config["images"]["n_classes"])
    read_net(job.inputs["teacher"], net)
    return place(net, device).eval().requires_grad_(False)


def new_student(job: Job, device: torch.device) -> nn.Module:
    """Build the student with the initial weights of its seed."""
    config = job.config
    init = torch_stream(config["seed"], "student", "init")
    net = build_net(config["student_net"], config["images"]["n_classes"], init)
    return place(net, device)


def load_test(job: Job, name: str, device: torch.device) -> EvalSet:
    """Load clean and stamped test images from the input `name`."""
    arrays = read_arrays(job.inputs[name])
    return EvalSet(
        pixels=to_pixels(arrays["images"]).to(device),
        labels=torch.from_numpy(arrays["labels"]).to(device),
        stamped=to_pixels(arrays["stamped"]).to(device),
        target=int(arrays["target"]),
        normalize=normalization(job.config["images"]),
    )


def make_source(
    job: Job,
    teacher: nn.Module,
    device: torch.device,
    vaccine: ShuffledTeacher | None = None,
) -> Source:
    """Build the job's surrogate source from its pool and its settings."""
    config = job.config
    context = Context(
        teacher=teacher,
        normalize=normalization(config["images"]),
        device=device,
        seed=config["seed"],
        vaccine=vaccine,
        suspicious_weight=config.get("suspicious_weight", 1.0),
    )
    pool = read_arrays(job.inputs["pool"]) if "pool" in job.inputs else {}
    source: Source = SOURCES.load(config["source"])(context, pool, **config["settings"])
    return source
