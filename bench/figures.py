"""What is measured: each function gives one figure."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from abd.distillation import Distillation
from abd.nets import build_net
from abd.pixels import Normalization
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.seeding import numpy_stream, torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial
from abd.sources.base import Context
from abd.sources.ood import OodSource
from abd.vaccine import score, score_trials
from bench.timing import Figure, compare

N_CLASSES = 10
BATCH = 128
SIZE = 16
CPU = torch.device("cpu")


def _net(name: str) -> nn.Module:
    net = build_net(name, N_CLASSES, torch_stream(0, "bench", name))
    return net.to(memory_format=torch.channels_last)


def _teacher() -> nn.Module:
    return _net("wrn-16-2").eval().requires_grad_(False)


def vaccine_search() -> Figure:
    """The search over 8 draws of 3 shuffles, against whole copies one by one."""
    teacher = _teacher()
    trials = [draw_trial(teacher, 5, 3, torch_stream(0, "bench", i)) for i in range(8)]
    stream = torch_stream(0, "bench", "images")
    cache = torch.randn(512, 3, SIZE, SIZE, generator=stream)
    batches = cache.contiguous(memory_format=torch.channels_last).split(BATCH)

    @torch.no_grad()
    def whole_copies() -> list[Tensor]:
        weights = dict(teacher.state_dict())
        scores = []
        for members in trials:
            for x in batches:
                copies = [
                    functional_call(
                        teacher,
                        {
                            **weights,
                            **{k: weights[k][:, order] for k, order in member.items()},
                        },
                        (x,),
                    )
                    for member in members
                ]
                scores.append(score(teacher(x), torch.stack(copies).mean(0)))
        return scores

    return compare(
        "vaccine_search",
        lambda: score_trials(teacher, trials, batches),
        "24 shuffled copies and 8 teachers, run whole",
        whole_copies,
    )


def _distillation(**options: object) -> Distillation:
    patches = numpy_stream(0, "bench", "patches").integers(
        0, 256, (4 * BATCH, SIZE, SIZE, 3)
    )
    context = Context(
        _teacher(), Normalization((0.3,) * 3, (0.3,) * 3), CPU,
        size=SIZE, n_classes=10, seed=0, rounds=400,
    )  # fmt: skip
    source = OodSource(
        context, {"patches": patches.astype("uint8")},
        batch=BATCH, crop_pad=4, hflip=True, lr=1e-3, schedule="cosine",
        milestones=[], gamma=0.5, tau=8.0, cutmix_beta=0.25,
    )  # fmt: skip
    return Distillation(_net("wrn-16-1"), source, seed=0, log_every=1000, **options)  # type: ignore[arg-type]


def sr_step() -> Figure:
    """One self-retrospection step of the student (R = 10, K = 5), against a plain step."""
    settings = RetrospectionSettings(
        portion=1.0, weight=1.0, tau=8.0, perturb="student", rounds=10, inner_lr=0.1,
        init_sigma=0.01, l2=1e-3, l2_in_synthesis=True, n_terms=5, tol=0.0, map_step=0.1,
        reduction="mean", detach=True, bn="clean",
    )  # fmt: skip
    plain = _distillation()
    with_sr = _distillation(extra=SelfRetrospection(settings, _teacher()).step)
    return compare(
        "sr_step",
        lambda: list(with_sr.run(with_sr.position + 1)),
        "a plain OOD step",
        lambda: list(plain.run(plain.position + 1)),
    )


def sv_added() -> Figure:
    """One OOD step with the vaccine's weights, against one without."""
    plain, guarded = _distillation(), _distillation()
    source = guarded.source
    assert isinstance(source, OodSource)
    teacher = source.context.teacher
    vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 5, 3, torch_stream(0, "bench")))
    source.context = replace(source.context, vaccine=vaccine)
    return compare(
        "sv_step",
        lambda: list(guarded.run(guarded.position + 1)),
        "a plain OOD step",
        lambda: list(plain.run(plain.position + 1)),
    )


FIGURES = (vaccine_search, sv_added, sr_step)
