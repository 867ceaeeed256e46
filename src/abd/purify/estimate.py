"""What a purification takes, said before it starts: jobs, time, memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from abd.config import Plan
from abd.config.jobs import job_spec
from abd.config.lengths import lengths, pool_size
from abd.config.memory import memory_mb
from abd.config.stage_jobs import StageJob, stage_jobs
from abd.distillation import Distillation
from abd.nets import build_net
from abd.nets.folding import folded
from abd.purify.options import EXPERIMENT, NAME
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.seeding import numpy_stream, torch_stream
from abd.stages.distilling import make_source, new_student
from abd.stages.job import Given, Job
from abd.stages.load import place, use_numerics
from abd.storage.arrays import write_arrays

N_TIMED = 3
LONG = 5.0  # seconds after which no more rounds are timed


def estimate(plan: Plan) -> str:
    """The jobs of a plan, with the seconds and the memory that each may take, at most.

    The seconds follow from some rounds of the networks themselves, taken here and now.
    """
    (cell,) = plan.wanted(EXPERIMENT)
    settings = plan.settings[NAME]
    long = lengths(settings, cell.source)
    jobs = list(stage_jobs(cell))
    retrospect = next(job for job in jobs if job.stage == "retrospect")
    config = json.loads(job_spec(plan, "retrospect", retrospect.wildcards).config)
    plain, retrospected = _seconds(config, pool_size(settings, cell.source))
    rounds = {
        "surrogate": long.warm * plain,
        "distill": (long.total - long.warm) * plain,
        "retrospect": (long.total - long.lambda_) * retrospected,
    }
    lines = [f"{len(jobs)} jobs on {config['numerics']['device']}:"]
    total, most = 0.0, 0
    for job in jobs:
        took = rounds.get(job.stage, 0.0)
        memory = memory_mb(job.stage, settings, job.wildcards)
        total, most = total + took, max(most, memory)
        lines.append(f"  {_name(job):18} {_duration(took):>12}  up to {memory} MB")
    lines.append(f"one after the other about {_duration(total)}, up to {most} MB at a time")
    lines.append("not counted: a minute or so of process starts and small jobs")
    return "\n".join(lines)


def _name(job: StageJob) -> str:
    return f"{job.stage} {job.wildcards.get('guard', '')}".strip()


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "a moment"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _seconds(config: dict[str, Any], n_pool: int) -> tuple[float, float]:
    """What a plain round takes, and one with self-retrospection."""
    device = use_numerics(config["numerics"])
    images = config["images"]
    net = build_net(config["teacher_net"], images["n_classes"], torch_stream(0, "estimate"))
    teacher = folded(place(net, device).eval().requires_grad_(False))
    with TemporaryDirectory() as folder:
        pool = Path(folder, "pool.npz")
        shape = (max(n_pool, 1), images["size"], images["size"], 3)
        noise = numpy_stream(0, "estimate").integers(0, 256, shape, np.uint8)
        write_arrays(pool, patches=noise)
        job = Job("estimate", config, Given(pool=pool), {}, "")
        step = SelfRetrospection(RetrospectionSettings(**config["retrospection"]), teacher)
        took = []
        for extra in (None, step.step):
            run = Distillation(
                new_student(job, device),
                make_source(job, teacher, device),
                seed=0,
                log_every=config["total"],
                extra=extra,
            )
            took.append(_a_round(run.run(config["total"]), device))
    return took[0], took[1]


def _a_round(rounds: Iterator[object], device: torch.device) -> float:
    """Seconds of a round; the first warms up, and counts only where more take too long."""
    took: list[float] = []
    while len(took) <= N_TIMED and sum(took) < LONG:
        start = time.perf_counter()
        next(rounds)
        if device.type == "cuda":
            torch.cuda.synchronize()
        took.append(time.perf_counter() - start)
    return mean(took[1:] or took)
