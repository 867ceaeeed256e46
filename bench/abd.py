"""What the remedies cost: the search, a step of self-retrospection, a whole run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from abd.config import load_plan
from abd.config.jobs import retrospection_constants
from abd.distillation import Distillation
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.seeding import torch_stream
from abd.shuffling import draw_trial
from abd.sources.base import Batch
from abd.sources.zskt import ZsktSource
from abd.vaccine import score, score_trials
from bench.sides import Side, Step
from bench.timing import Figure, take_turns
from bench.zskt import BATCH, ROUNDS, SIZE, distillation, ours, prepared

N_IMAGES, N_TRIALS, N_MEMBERS, N_CONV = 6400, 8, 3, 5
N_WARM, N_RETROSPECT = 50, 800  # cycles of the study's run (method sections 6.5, 7.5)
PAPERS_CLAIM = 1.03


def _retrospection() -> RetrospectionSettings:
    """The study's for ZSKT (method section 7.2), as params.yaml has them."""
    study = load_plan(Path("params.yaml")).settings["cifar10"]
    return RetrospectionSettings(**retrospection_constants(study, "zskt"))


def _search() -> tuple[nn.Module, list[Any], tuple[Tensor, ...]]:
    teacher = prepared("float32")
    trials = [
        draw_trial(teacher, N_CONV, N_MEMBERS, torch_stream(0, "bench", i))
        for i in range(N_TRIALS)
    ]
    stream = torch_stream(0, "bench", "images")
    cache = torch.randn(N_IMAGES, 3, SIZE, SIZE, generator=stream)
    return teacher, trials, cache.split(256)


def shared_search() -> Step:
    """Our search: what the copies share is computed once."""
    teacher, trials, batches = _search()
    return lambda: score_trials(teacher, trials, batches)


def whole_search() -> Step:
    """The same scores from every copy run whole."""
    teacher, trials, batches = _search()
    weights = dict(teacher.named_parameters())

    def copy_of(member: dict[str, Tensor], x: Tensor) -> Tensor:
        shuffled = {name: weights[name][:, order] for name, order in member.items()}
        logits: Tensor = functional_call(teacher, shuffled, (x,))
        return logits

    @torch.no_grad()
    def search() -> Tensor:
        rows: list[list[Tensor]] = [[] for _ in trials]
        for x in batches:
            logits = teacher(x)
            for row, members in zip(rows, trials, strict=True):
                copies = torch.stack([copy_of(member, x) for member in members])
                row.append(score(logits, copies.mean(0)))
        return torch.stack([torch.cat(row) for row in rows])

    return search


def vaccine_search() -> Figure:
    """The search, 8 trials of 3 shuffles over 6,400 images, against 24 full passes."""
    turns = take_turns(shared_search, whole_search, 2)
    scores, plain = turns.values[-1]
    difference = float((scores - plain).abs().max())
    return turns.figure(
        "vaccine_search", "24 full passes", 0.42, largest_difference_of_scores=difference
    )


class OneBatch(ZsktSource):
    """ZSKT that shows one batch again and again, once a round: a student's step alone."""

    shown: Batch | None = None

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Yield the first cycle's images."""
        if self.shown is None:
            *_, last = super().batches(0, student)
            self.shown = replace(last, repeats=1)
        yield self.shown


def student_step(*, retrospects: bool) -> Step:
    """One step of the student, with or without self-retrospection."""
    run = _run(retrospects=retrospects)
    run.source.__class__ = OneBatch
    return partial(_advance, run)


def _advance(run: Distillation) -> None:
    """Do one round."""
    for _ in run.run(run.position + 1):
        pass


def _run(*, retrospects: bool) -> Distillation:
    teacher = prepared("float32")
    run = distillation(teacher)
    if retrospects:
        run.extra = SelfRetrospection(_retrospection(), teacher).step
    return run


def sr_step() -> Figure:
    """A student's step with self-retrospection (R = 10, K = 5) against a plain one."""
    turns = take_turns(
        partial(student_step, retrospects=True), partial(student_step, retrospects=False)
    )
    return turns.figure("sr_step", "a plain step of the student", 20.0)


def retrospecting_cycle() -> Step:
    """A whole cycle with self-retrospection in its ten steps."""
    run = _run(retrospects=True)
    return partial(_advance, run)


def abd_run() -> Figure:
    """The study's whole run with vaccine and self-retrospection, against plain ZSKT.

    Put together from the seconds of its cycles and of the search over its cache.
    """
    kinds: dict[str, Callable[[], Step]] = {
        "plain": partial(ours, "float32"),
        "guarded": partial(ours, "float32", guarded=True),
        "retrospecting": retrospecting_cycle,
        "search": shared_search,
    }
    seconds = {kind: _seconds(make) for kind, make in kinds.items()}
    # What is cached is seen 11 times a cycle but differs only twice.
    n_cached = 2 * (N_WARM - 11) * BATCH
    search = seconds["search"] * n_cached / N_IMAGES
    plain = ROUNDS * seconds["plain"]
    last = N_RETROSPECT * (seconds["retrospecting"] - seconds["plain"])
    vaccine = (ROUNDS - N_WARM) * (seconds["guarded"] - seconds["plain"])
    both = plain + search + last + vaccine * (1 - N_RETROSPECT / ROUNDS)
    return Figure(
        "abd_run", both, "s", "a plain run", plain, both / plain, PAPERS_CLAIM,
        {
            "vaccine_found_no_retrospection": (plain + search + vaccine) / plain,
            "no_vaccine_found_retrospection": (plain + search + last) / plain,
            "aim_is": "the paper's claim",
        },
    )  # fmt: skip


def _seconds(make: Callable[[], Step], n_turns: int = 5) -> float:
    with Side(make) as side:
        side.step()
        return statistics.median(side.step()[0] for _ in range(n_turns))
