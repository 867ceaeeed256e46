"""On a GPU: ZSKT's cycle replayed as a CUDA graph, against the same cycle as it stands."""

from __future__ import annotations

from functools import partial

import torch

from bench.sides import Step
from bench.timing import Figure, take_turns
from bench.zskt import ROUNDS, distillation, prepared

N_CYCLES = 20  # of a step: the queue of kernels is waited for once
SECONDS_AN_HOUR = 3600


def cycles(dtype: str, *, graphed: bool) -> Step:
    """Some cycles on the GPU, and the wait until they are done."""
    teacher = prepared(dtype, "cuda")
    run = distillation(teacher, "cuda", graphed=graphed, log_every=ROUNDS)

    def step() -> float:
        list(run.run(run.position + N_CYCLES))
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() / 2**30

    return step


def zskt_cycle_cuda() -> Figure:
    """A cycle on the GPU in bfloat16, and the hours of the study's 80,000."""
    turns = take_turns(
        partial(cycles, "bfloat16", graphed=True),
        partial(cycles, "bfloat16", graphed=False),
    )
    figure = turns.figure("zskt_cycle_cuda", f"{N_CYCLES} cycles as they stand", 1.0)
    figure.notes.update(
        cycles=N_CYCLES,
        hours_of_80000_cycles=figure.value / N_CYCLES * ROUNDS / SECONDS_AN_HOUR,
        gpu=torch.cuda.get_device_name(),
        gpu_peak_gib=turns.values[-1][0],
    )
    return figure
