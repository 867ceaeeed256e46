"""On a GPU: rounds of training replayed as a CUDA graph, against the same as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import torch

from abd.distillation import Distillation
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import Normalization, to_pixels
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.sources.base import Context
from abd.sources.ood import OodSource
from abd.stages.load import place, use_numerics
from abd.training import Training
from bench.sides import N_THREADS, Step
from bench.teacher import BATCH, MEAN, SIZE, STD, random_images
from bench.timing import Figure, take_turns
from bench.zskt import ROUNDS, distillation, prepared, student

DEVICE = torch.device("cuda")
N_POOL, OOD_BATCH, OOD_ROUNDS = 10_000, 512, 5_700  # the study's
N_IMAGES, N_EPOCHS = 47_500, 200
SECONDS_AN_HOUR = 3600

Rounds = Callable[..., Iterator[object]]  # called with `graphed`


def _zskt(*, graphed: bool) -> Iterator[object]:
    teacher = prepared("bfloat16", "cuda")
    run = distillation(teacher, "cuda", graphed=graphed, log_every=ROUNDS)
    return run.run(ROUNDS)


def _ood(*, graphed: bool) -> Iterator[object]:
    teacher = prepared("bfloat16", "cuda")
    images, _ = random_images(N_POOL)
    context = Context(
        teacher, Normalization(MEAN, STD), DEVICE, size=SIZE, n_classes=10, seed=0,
        rounds=OOD_ROUNDS, graphed=graphed,
    )  # fmt: skip
    source = OodSource(
        context, {"patches": images}, batch=OOD_BATCH, crop_pad=4, hflip=True, lr=1e-3,
        schedule="steps", milestones=[150], gamma=0.1, tau=8.0, cutmix_beta=0.25,
    )  # fmt: skip
    net = place(student(), DEVICE)
    run = Distillation(net, source, seed=0, log_every=OOD_ROUNDS, graphed=graphed)
    return run.run(OOD_ROUNDS)


def _teacher(*, graphed: bool) -> Iterator[object]:
    use_numerics(
        {"device": "cuda", "threads": N_THREADS, "deterministic": True, "dtype": "bfloat16"}
    )
    images, labels = random_images(N_IMAGES)
    training = Training(
        place(build_net("wrn-16-2", 10, torch_stream(0, "bench", "teacher")), DEVICE),
        to_pixels(images).to(DEVICE),
        torch.from_numpy(labels).to(DEVICE),
        Normalization(MEAN, STD),
        OptimizerSpec("sgd", cosine(0.1, N_EPOCHS), 0.9, 5e-4),
        seed=0, batch=BATCH, crop_pad=4, hflip=True,
        judge=lambda net: {}, select_best=False, graphed=graphed,
    )  # fmt: skip
    return training.run(N_EPOCHS)


def _step(make: Rounds, n: int, *, graphed: bool) -> Step:
    """Some rounds on the GPU, and the wait until they are done."""
    rounds = make(graphed=graphed)

    def step() -> float:
        for _ in islice(rounds, n):
            pass
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() / 2**30

    return step


def _against_the_loop(name: str, make: Rounds, n: int, n_in_all: int) -> Figure:
    """`n` rounds at a time: the queue of kernels is waited for once."""
    turns = take_turns(
        partial(_step, make, n, graphed=True), partial(_step, make, n, graphed=False)
    )
    figure = turns.figure(name, f"{n} rounds as they stand", 1.0)
    figure.notes.update(
        rounds=n,
        study_rounds=n_in_all,
        hours_of_the_study=figure.value / n * n_in_all / SECONDS_AN_HOUR,
        gpu=torch.cuda.get_device_name(),
        gpu_peak_gib=turns.values[-1][0],
    )
    return figure


def zskt_cycle_cuda() -> Figure:
    """Cycles of ZSKT in bfloat16, and the hours of the study's 80,000."""
    return _against_the_loop("zskt_cycle_cuda", _zskt, 20, ROUNDS)


def ood_batch_cuda() -> Figure:
    """Batches of OOD distillation in bfloat16, and the hours of the study's 5,700."""
    return _against_the_loop("ood_batch_cuda", _ood, 50, OOD_ROUNDS)


def teacher_batch_cuda() -> Figure:
    """A teacher's batches in bfloat16, and the hours of the study's 200 epochs."""
    n_in_all = N_IMAGES // BATCH * N_EPOCHS
    return _against_the_loop("teacher_batch_cuda", _teacher, 100, n_in_all)
