"""The test images that Acc and ASR are counted on, as stage poison wrote them."""

from __future__ import annotations

import torch

from abd.metrics import EvalSet
from abd.pixels import to_pixels
from abd.stages.job import Job
from abd.stages.load import normalization
from abd.storage.arrays import read_arrays


def load_test(job: Job, name: str, device: torch.device) -> EvalSet:
    """Load clean and stamped test images from the input `name`."""
    arrays = read_arrays(job.inputs[name])
    return EvalSet(
        pixels=to_pixels(arrays["images"]).to(device),
        labels=torch.from_numpy(arrays["labels"]).to(device),
        stamped=to_pixels(arrays["stamped"]).to(device),
        target=int(arrays["target"]),
        normalize=normalization(job),
    )
