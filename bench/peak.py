"""What the machine can do: the rate of a convolution that suits it."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

from bench.sides import N_THREADS

BATCH, WIDTH, SIZE = 128, 128, 16


def convolution_peak(dtype: torch.dtype) -> float:
    """FLOP/s of a 3x3 convolution of 128 channels, the best of some turns."""
    torch.set_num_threads(N_THREADS)
    layout = torch.channels_last
    x = torch.zeros(BATCH, WIDTH, SIZE, SIZE, dtype=dtype).to(memory_format=layout)
    weight = torch.zeros(WIDTH, WIDTH, 3, 3, dtype=dtype).to(memory_format=layout)
    seconds = []
    with torch.no_grad():
        for _ in range(10):
            start = time.perf_counter()
            F.conv2d(x, weight, padding=1)
            seconds.append(time.perf_counter() - start)
    return 2 * x.numel() * WIDTH * 9 / min(seconds)
