"""What rounds and searches take on this machine, measured on networks of the right kind."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from abd.cuda_graph import N_EAGER
from abd.distillation import Distillation
from abd.nets import build_net
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.seeding import numpy_stream, torch_stream
from abd.shuffling import ShuffledTeacher
from abd.stages.distilling import draw, folded_for, make_source, new_student
from abd.stages.job import Given, Job
from abd.stages.load import compiled, graphed, place, use_numerics
from abd.stages.vaccine import BATCH
from abd.storage.arrays import write_arrays
from abd.vaccine import score_trials

N_TIMED = 3
LONG = 5.0  # seconds after which no more rounds are timed


@dataclass(frozen=True)
class Seconds:
    """Of a round of each kind, plain, with a vaccine and with self-retrospection.

    searched: of an image in the vaccine search.
    """

    plain: list[float]
    guarded: list[float]
    retrospected: list[float]
    searched: float


def measure(
    config: Mapping[str, Any], numerics: Mapping[str, Any], n_kinds: int, n_pool: int
) -> Seconds:
    """Time rounds of a distillation, and a chunk of the vaccine search.

    config: the slice of stage retrospect, and the section of the search, for a run whose
    epoch is `n_kinds` rounds, one of each kind; numerics: those of stage distill, which
    may be quicker; n_pool: images of the source's pool.
    """
    device = use_numerics(config["numerics"])
    images = config["images"]
    net = build_net(config["teacher_net"], images["n_classes"], torch_stream(0, "estimate"))
    net = place(net, device).eval().requires_grad_(False)
    teacher = folded_for(config["source"], net)
    with TemporaryDirectory() as folder:
        pool = Path(folder, "pool.npz")
        shape = (max(n_pool, 1), images["size"], images["size"], 3)
        noise = numpy_stream(0, "estimate").integers(0, 256, shape, np.uint8)
        write_arrays(pool, patches=noise)
        job = Job("estimate", config, Given(pool=pool), {}, "")
        step = SelfRetrospection(RetrospectionSettings(**config["retrospection"]), teacher)
        quick = {
            "as_graph": graphed(numerics, device),
            "as_code": compiled(numerics, device),
        }
        n_skipped = N_EAGER + 1 if quick["as_graph"] else int(quick["as_code"])
        guard = ShuffledTeacher(teacher, draw(job, teacher, 0))
        plain, guarded = (
            rounds_of(_rounds(job, teacher, device, vaccine, **quick), n_kinds, n_skipped)
            for vaccine in (None, guard)
        )
        retrospected = rounds_of(_rounds(job, teacher, device, extra=step.step), n_kinds)
        return Seconds(plain, guarded, retrospected, _search(job, teacher, device))


def _rounds(
    job: Job,
    teacher: nn.Module,
    device: torch.device,
    vaccine: ShuffledTeacher | None = None,
    *,
    as_graph: bool = False,
    as_code: bool = False,
    extra: Any = None,
) -> Iterator[float]:
    """The seconds of one round after the other."""
    total = job.config["total"]
    run = Distillation(
        new_student(job, device),
        make_source(job, teacher, device, vaccine, graphed=as_graph),
        seed=0,
        log_every=total,
        graphed=as_graph,
        compiled=as_code,
        extra=extra,
    )
    start = time.perf_counter()
    for _ in run.run(total):
        _wait(device)
        yield time.perf_counter() - start
        start = time.perf_counter()


def rounds_of(seconds: Iterator[float], n_kinds: int, n_skipped: int = 0) -> list[float]:
    """The mean seconds of each kind, of rounds that come by turns.

    The first `n_skipped` turns are not looked at: they compile or record. Of the others the
    first warms up, and counts only where more take too long, or there is no other.
    """
    seconds = islice(seconds, n_skipped * n_kinds, None)
    took: list[list[float]] = [[] for _ in range(n_kinds)]
    for i, second in enumerate(seconds):
        took[i % n_kinds].append(second)
        whole = (i + 1) % n_kinds == 0
        n_turns = (i + 1) // n_kinds
        if whole and (n_turns > N_TIMED or sum(map(sum, took)) > LONG):
            break
    return [mean(own[1:] or own or [0.0]) for own in took]


def _search(job: Job, teacher: nn.Module, device: torch.device) -> float:
    """The seconds that the search takes for an image."""
    trials = [draw(job, teacher, i) for i in range(job.config["vaccine"]["trials"])]
    size = job.config["images"]["size"]
    x = torch.randn(BATCH, 3, size, size, generator=torch_stream(0, "estimate", "search"))
    start = time.perf_counter()
    score_trials(teacher, trials, [x.to(device)], job.config["vaccine"]["direction"])
    _wait(device)
    return (time.perf_counter() - start) / BATCH


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
