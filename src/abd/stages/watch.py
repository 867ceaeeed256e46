"""Lets the monitor look at a student as it learns; nothing of it reaches the loop."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from abd.monitor import EvalMonitor
from abd.stages.drive import Observe
from abd.stages.job import Job
from abd.stages.testset import load_test


def watch(job: Job, net: nn.Module, device: torch.device) -> Observe | None:
    """Let the monitor, where the job has one, look at `net` now and then and at the end."""
    if "monitor" not in job.inputs:
        return None
    monitor = EvalMonitor(load_test(job, "monitor", device))
    every, total = job.config["eval_every"], job.config["total"]

    def observe(position: int) -> Mapping[str, float]:
        return monitor(net) if position % every == 0 or position == total else {}

    return observe
