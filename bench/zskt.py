"""ZSKT's cycle against the reference program's, both whole, on the same noise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from abd.distillation import Distillation
from abd.nets import build_net
from abd.pixels import Normalization
from abd.seeding import torch_stream
from abd.sources.base import Context
from abd.sources.zskt import ZsktSource
from abd.stages.load import use_numerics
from bench.reference import ReferenceZskt
from bench.timing import Figure, compare

BATCH, SIZE, NZ, ROUNDS = 128, 32, 100, 80_000
CPU = torch.device("cpu")


def _noise(index: int) -> Tensor:
    return torch.randn(BATCH, NZ, generator=torch_stream(0, "zskt", "noise", index))


def ours() -> Distillation:
    """The study's pair at the study's settings, WRN-16-2 to WRN-16-1."""
    teacher = build_net("wrn-16-2", 10, torch_stream(0, "bench", "teacher"))
    with torch.no_grad():  # running statistics that fit the inputs, as a teacher's do
        for i in range(20):
            stream = torch_stream(0, "bench", "statistics", i)
            teacher.train()(torch.randn(64, 3, SIZE, SIZE, generator=stream))
    teacher = teacher.eval().requires_grad_(False)
    student = build_net("wrn-16-1", 10, torch_stream(0, "bench", "student"))
    layout = torch.channels_last
    context = Context(
        teacher.to(memory_format=layout), Normalization((0.5,) * 3, (0.25,) * 3), CPU,
        size=SIZE, n_classes=10, seed=0, rounds=ROUNDS,
    )  # fmt: skip
    source = ZsktSource(
        context, {}, batch=BATCH, tau=1.0, nz=NZ, generator_steps=1, student_steps=10,
        lr_generator=1e-3, lr=2e-3, clip_norm=5.0, at_beta=250.0,
    )  # fmt: skip
    student = student.to(memory_format=layout)
    return Distillation(student, source, seed=0, log_every=1)


def reference(like: Distillation) -> ReferenceZskt:
    """The reference's loop from the same start, in torch's default memory layout."""
    assert isinstance(like.source, ZsktSource)
    nets = (like.source.context.teacher, like.student, like.source.generator)
    plain = [copy.deepcopy(n).to(memory_format=torch.contiguous_format) for n in nets]
    return ReferenceZskt(*plain, noise=_noise, rounds=ROUNDS)


@contextmanager
def _precision(dtype: str) -> Iterator[None]:
    numerics = {"device": "cpu", "threads": torch.get_num_threads(), "deterministic": True}
    use_numerics({**numerics, "dtype": dtype})
    try:
        yield
    finally:
        use_numerics(numerics)


def _cycle(dtype: str, name: str) -> Figure:
    fast = ours()
    plain = reference(fast)

    def step() -> None:
        with _precision(dtype):
            list(fast.run(fast.position + 1))

    cycles = iter(range(ROUNDS))
    return compare(
        name, step, "the reference's loop", lambda: plain.cycle(next(cycles)), n_repeats=3
    )


def zskt_cycle_fp32() -> Figure:
    """One cycle at the study's settings in float32."""
    return _cycle("float32", "zskt_cycle_fp32")


def zskt_cycle_bf16() -> Figure:
    """One cycle at the study's settings with convolutions in bfloat16."""
    return _cycle("bfloat16", "zskt_cycle_bf16")
