"""How every stage that computes with networks begins: numerics, layout, normalisation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from abd.errors import AbdError
from abd.pixels import Normalization
from abd.stages.gpu import take_gpu
from abd.stages.job import Job, say
from abd.stages.memory import keep_freed_memory
from abd.storage.files import read_json


def use_numerics(numerics: Mapping[str, Any]) -> torch.device:
    """Set threads, determinism and precision for this process; return the device.

    Raises AbdError where there is no such device.
    """
    if numerics["deterministic"]:  # what cuBLAS asks for, before it is first used
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(numerics["threads"])
    keep_freed_memory()
    # Not `use_deterministic_algorithms`: it does the same, and imports the compiler, 2 s.
    torch.set_deterministic_debug_mode("error" if numerics["deterministic"] else "default")
    # With it torch would fill every new tensor, in case one is read before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # Float32 means float32: TF32 is a choice, not a property of the machine.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not numerics["deterministic"]
    device = torch.device(numerics["device"])
    if numerics["device"] == "cuda":  # any: a number would name one
        taken = take_gpu(torch.cuda.device_count(), say)
        if taken is not None and torch.cuda.device_count() > 1:
            # Counting them can start CUDA, which then sees all.
            device = torch.device("cuda", taken)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise AbdError(
            f"params.yaml: numerics.device: expected cpu, or one of the GPUs of this "
            f"machine, which has {torch.cuda.device_count()}, got {device}"
        )
    if device.index is not None:
        torch.cuda.set_device(device)
    dtype = getattr(torch, numerics.get("dtype", "float32"))
    torch.set_autocast_enabled(device.type, dtype != torch.float32)
    torch.set_autocast_dtype(device.type, torch.bfloat16)
    # The cache would hold weights from before the last step: nothing here ends a context.
    torch.set_autocast_cache_enabled(False)
    return device


def graphed(numerics: Mapping[str, Any], device: torch.device) -> bool:
    """Whether rounds of training are to be recorded as CUDA graphs."""
    return bool(numerics["graph"]) and device.type == "cuda"


def compiled(numerics: Mapping[str, Any], device: torch.device) -> bool:
    """Whether steps of training are to be compiled; where they are, it is said."""
    if not numerics["compile"] or device.type != "cpu":
        return False
    say("the first step is compiled, which takes up to a minute")
    return True


def normalization(job: Job) -> Normalization:
    """The normalisation of a data set's images: as in params, else as stage fetch found it.

    It is the teacher's, so the defender knows it.
    """
    images = job.config["images"]
    mean, std = images["mean"], images["std"]
    if mean is None or std is None:
        found = read_json(job.inputs["statistics"])
        mean, std = mean or found["mean"], std or found["std"]
    return Normalization(tuple(mean), tuple(std))


def place(net: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to the device, in the memory layout that convolutions like."""
    return net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
