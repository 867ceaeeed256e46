"""An epoch of teacher training against a plain PyTorch loop with a DataLoader."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import Normalization, to_pixels
from abd.schedules import cosine
from abd.seeding import numpy_stream, torch_stream
from abd.stages.load import use_numerics
from abd.training import Training
from bench.sides import N_THREADS, Side, Step
from bench.timing import GIB, Figure, take_turns

BATCH, SIZE, N_IMAGES = 128, 32, 50_000
N_TIMED = 2_560  # a twentieth of an epoch: its time is what is reported, times N_IMAGES
MEAN, STD = (0.49, 0.48, 0.45), (0.2, 0.2, 0.2)


def random_images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, SIZE, SIZE, 3) uint8 and labels (n,) of ten classes."""
    stream = numpy_stream(0, "bench", "teacher")
    return stream.integers(0, 256, (n, SIZE, SIZE, 3), "uint8"), stream.integers(0, 10, n)


def ours(dtype: str, n_images: int = N_TIMED, *, compiled: bool = False) -> Step:
    """Our loop: an epoch over `n_images`."""
    use_numerics(
        {"device": "cpu", "threads": N_THREADS, "deterministic": True, "dtype": dtype}
    )
    images, labels = random_images(n_images)
    net = build_net("wrn-16-2", 10, torch_stream(0, "bench", "teacher"))
    training = Training(
        net.to(memory_format=torch.channels_last),
        to_pixels(images),
        torch.from_numpy(labels),
        Normalization(MEAN, STD),
        OptimizerSpec("sgd", cosine(0.1, 200), 0.9, 5e-4),
        seed=0, batch=BATCH, crop_pad=4, hflip=True,
        judge=lambda net: {}, select_best=False, compiled=compiled,
    )  # fmt: skip
    return lambda: [r.values for r in training.run(training.position + 1) if r]


def _warm(make: Callable[..., Step]) -> Step:
    """A whole epoch, by a process that has done a short one of what `make` makes."""
    make()()
    return make(N_IMAGES)


class Images(Dataset[tuple[torch.Tensor, int]]):
    """Images and labels as torchvision's data sets give them."""

    def __init__(self) -> None:
        self.images, self.labels = random_images(N_TIMED)
        self.transform = v2.Compose(
            [
                v2.ToImage(),
                v2.RandomCrop(SIZE, 4),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[i]), int(self.labels[i])


def plain() -> Step:
    """A loop as in PyTorch's tutorials, float32."""
    net = build_net("wrn-16-2", 10, torch_stream(0, "bench", "teacher"))
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=5e-4)
    loader = DataLoader(Images(), BATCH, shuffle=True, drop_last=True)

    def epoch() -> None:
        net.train()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()

    return epoch


def teacher_epoch() -> Figure:
    """An epoch in bfloat16, compiled; what each of that gives, and CIFAR-10's memory."""
    quick = partial(ours, "bfloat16", compiled=True)
    turns = take_turns(quick, plain, 3)
    uncompiled, wide = (
        take_turns(partial(ours, dtype), plain, 3).figure("", "", 0).ratio
        for dtype in ("bfloat16", "float32")
    )
    with Side(partial(_warm, quick)) as side:
        whole, _ = side.step()
        peak = side.peak_bytes()
    return turns.figure(
        "teacher_epoch",
        "a plain float32 loop with a DataLoader",
        1 / 3,
        images=N_TIMED,
        ratio_uncompiled=uncompiled,
        ratio_in_float32=wide,
        seconds_of_50000_images=whole,
        peak_gib_of_50000_images=peak / GIB,
    )
