"""ZSKT's cycle at the study's settings against the reference program's, on the same noise.

WRN-16-2 to WRN-16-1, batches of 128 images of 32 x 32 pixels.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import torch
from torch import Tensor, nn

from abd.distillation import Distillation
from abd.nets import build_net
from abd.nets.folding import folded
from abd.pixels import Normalization
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial
from abd.sources.base import Context
from abd.sources.zskt import ZsktSource
from abd.stages.load import use_numerics
from bench.lockstep import lockstep, statistics_of
from bench.peak import convolution_peak
from bench.reference import ReferenceZskt, reference_generator
from bench.sides import N_THREADS, Side
from bench.timing import Figure, take_turns

BATCH, SIZE, NZ, ROUNDS = 128, 32, 100, 80_000
N_CYCLES, N_CONTROL = 20, 5
N_LOCKSTEP = 10
# The least that a cycle computes: MMAC per image of method section 10.2, with doublings
# as transposed convolutions.
CYCLE_FLOP = 1362.8e6 * 2 * BATCH

Cycle = tuple[float, Tensor]  # the mean loss, and the student's BatchNorm statistics


def _noise(index: int) -> Tensor:
    return torch.randn(BATCH, NZ, generator=torch_stream(0, "zskt", "noise", index))


def teacher_net() -> nn.Module:
    """A teacher whose running statistics fit its inputs."""
    teacher = build_net("wrn-16-2", 10, torch_stream(0, "bench", "teacher"))
    with torch.no_grad():
        for i in range(20):
            stream = torch_stream(0, "bench", "statistics", i)
            teacher.train()(torch.randn(64, 3, SIZE, SIZE, generator=stream))
    return teacher.eval().requires_grad_(False)


def student() -> nn.Module:
    """The study's student, with the initial weights of one seed."""
    return build_net("wrn-16-1", 10, torch_stream(0, "bench", "student"))


def distillation(
    teacher: nn.Module,
    device: str = "cpu",
    *,
    graphed: bool = False,
    log_every: int = 1,
    compiled: bool = False,
) -> Distillation:
    """The study's run, from its start."""
    context = Context(
        teacher, Normalization((0.5,) * 3, (0.25,) * 3), torch.device(device),
        size=SIZE, n_classes=10, seed=0, rounds=ROUNDS, graphed=graphed,
    )  # fmt: skip
    source = ZsktSource(
        context, {}, batch=BATCH, tau=1.0, nz=NZ, generator_steps=1, student_steps=10,
        lr_generator=1e-3, lr=2e-3, clip_norm=5.0, at_beta=250.0,
    )  # fmt: skip
    net = student().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Distillation(
        net, source, seed=0, log_every=log_every, graphed=graphed, compiled=compiled
    )


def prepared(dtype: str, device: str = "cpu") -> nn.Module:
    """The teacher as the stages prepare it, and this process like theirs."""
    use_numerics(
        {"device": device, "threads": N_THREADS, "deterministic": True, "dtype": dtype}
    )
    teacher = teacher_net().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded(teacher)


def ours(
    dtype: str, *, guarded: bool = False, compiled: bool = False
) -> Callable[[], Cycle]:
    """Our cycle; `guarded` by the first vaccine."""
    teacher = prepared(dtype)
    run = distillation(teacher, compiled=compiled)
    if guarded:
        vaccine = ShuffledTeacher(
            teacher, draw_trial(teacher, 5, 3, torch_stream(0, "bench"))
        )
        run.source.context = replace(run.source.context, vaccine=vaccine)  # type: ignore[attr-defined]

    def cycle() -> Cycle:
        (record,) = run.run(run.position + 1)
        assert record is not None
        return record.values["loss"], statistics_of(run.student)

    return cycle


def reference(
    layout: torch.memory_format = torch.contiguous_format,
) -> Callable[[], Cycle]:
    """The reference's loop from the same start, in torch's default memory layout."""
    run = _reference_run(layout)
    indices = count()
    return lambda: (run.cycle(next(indices)), statistics_of(run.student))


def _reference_run(layout: torch.memory_format) -> ReferenceZskt:
    like = distillation(teacher_net())
    assert isinstance(like.source, ZsktSource)
    nets = (teacher_net(), student(), reference_generator(like.source.generator))
    return ReferenceZskt(
        *(net.to(memory_format=layout) for net in nets), noise=_noise, rounds=ROUNDS
    )


def in_lockstep(dtype: str) -> Callable[[], dict[str, float]]:
    """How far our cycles stray, each from the reference's state."""
    reference = _reference_run(torch.contiguous_format)  # before autocast is switched on
    run = distillation(prepared(dtype))
    return lambda: lockstep(run, reference, N_LOCKSTEP)


def _against_the_reference(dtype: str, name: str, aim: float) -> Figure:
    turns = take_turns(partial(ours, dtype), reference, N_CYCLES - 1)
    cycles, theirs = zip(*turns.values, strict=True)
    with Side(partial(in_lockstep, dtype)) as side:
        _, strayed = side.step()
    peak = convolution_peak(getattr(torch, dtype))
    return turns.figure(
        name,
        "the reference's loop",
        aim,
        differences=_differences(cycles, theirs),
        cycles_from_the_same_state=N_LOCKSTEP,
        differences_from_the_same_state=strayed,
        share_of_convolution_peak=CYCLE_FLOP / statistics.median(turns.ours) / peak,
        convolution_peak_gflops=peak / 1e9,
    )


def _differences(cycles: Sequence[Cycle], others: Sequence[Cycle]) -> dict[str, float]:
    """Relative, of the first cycle's loss, the worst loss, the last statistics."""
    losses = [abs(a / b - 1) for (a, _), (b, _) in zip(cycles, others, strict=True)]
    (_, mine), (_, their) = cycles[-1], others[-1]
    return {
        "first_loss": losses[0],
        "worst_loss": max(losses),
        "last_batchnorm_statistics": float((mine - their).norm() / their.norm()),
    }


def zskt_cycle_fp32() -> Figure:
    """One cycle in float32: 20 in a row, their losses and statistics compared.

    Rounding grows from cycle to cycle, as Adam's first steps go by the sign of a gradient;
    so also how far the reference's own loop strays from itself in another memory layout.
    """
    figure = _against_the_reference("float32", "zskt_cycle_fp32", 1 / 5)
    with (
        Side(reference) as plain,
        Side(partial(reference, torch.channels_last)) as other,
    ):
        cycles = [(other.step()[1], plain.step()[1]) for _ in range(N_CONTROL)]
    figure.notes["cycles_of_the_control"] = N_CONTROL
    strayed = _differences(*zip(*cycles, strict=True))
    figure.notes["differences_of_the_reference_itself"] = strayed
    return figure


def zskt_cycle_bf16() -> Figure:
    """One cycle with convolutions in bfloat16."""
    return _against_the_reference("bfloat16", "zskt_cycle_bf16", 1 / 8)


def zskt_cycle_compiled() -> Figure:
    """A cycle in bfloat16 whose student's steps are compiled, against one as it stands."""
    turns = take_turns(partial(ours, "bfloat16", compiled=True), partial(ours, "bfloat16"))
    return turns.figure("zskt_cycle_compiled", "a cycle as it stands", 0.9)


def sv_added() -> Figure:
    """A cycle whose generator is steered by the vaccine, against one without."""
    turns = take_turns(partial(ours, "float32", guarded=True), partial(ours, "float32"))
    return turns.figure("sv_added", "a cycle without the vaccine", 1.20)
