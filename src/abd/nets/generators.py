"""Generators of surrogate images, for ZSKT and CMI (method sections 3.3, 3.4).

Both start from a small map of 128 channels and double it until it has the images' size.
Their outputs live in the space that their method says: ZSKT's in the teacher's normalised
input space, unbounded; CMI's in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from abd.nets.doubling import DoublingConv2d
from abd.nets.init import init_default

WIDTH = 128
SMALL = 64  # the largest size that two doublings of size/4 are made for
START = 8  # side of the first map of larger images


def _doubled(n_in: int, n_out: int) -> list[nn.Module]:
    return [DoublingConv2d(n_in, n_out), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2, True)]


class Generator(nn.Module):
    """Maps noise (B, nz) to images (B, 3, size, size).

    Sizes up to 64 that 4 divides are reached by two doublings, all others by four and a
    final bilinear resize. `last`: what follows the last convolution. Convolutions before
    a BatchNorm have no bias: it would take it away again.
    """

    def __init__(self, nz: int, size: int, *, last: nn.Module) -> None:
        super().__init__()
        small = size % 4 == 0 and size <= SMALL
        self.start = size // 4 if small else START
        self.linear = nn.Linear(nz, WIDTH * self.start**2)
        layers = [nn.BatchNorm2d(WIDTH), *_doubled(WIDTH, 128), *_doubled(128, 64)]
        width = 64
        if not small:
            layers += [
                *_doubled(64, 32),
                *_doubled(32, 16),
                nn.Upsample(size=(size, size), mode="bilinear"),
                nn.Conv2d(16, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.LeakyReLU(0.2, True),
            ]
            width = 8
        bias = not isinstance(last, nn.BatchNorm2d)
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1, bias=bias))
        self.last = last

    def forward(self, z: Tensor) -> Tensor:
        """Return images (B, 3, size, size) of noise (B, nz), in the noise's precision."""
        h = self.linear(z).view(len(z), WIDTH, self.start, self.start)
        h = self.layers(h.contiguous(memory_format=torch.channels_last))
        # Of three channels a BatchNorm is ten times as fast channel by channel.
        images: Tensor = self.last(h.contiguous())
        return images.to(z.dtype)


def zskt_generator(nz: int, size: int, generator: torch.Generator) -> Generator:
    """Build ZSKT's generator, with torch's default initialisation drawn anew.

    Its last layer is a BatchNorm: each channel is standardised over the batch, nothing is
    clipped to valid pixels. It must run in train mode, also to synthesise.
    """
    with torch.random.fork_rng(devices=[]):
        net = Generator(nz, size, last=nn.BatchNorm2d(3))
    for m in net.modules():
        if isinstance(m, nn.Linear | nn.Conv2d):
            init_default(m, generator)
    return net


def cmi_generator(nz: int, size: int, generator: torch.Generator) -> Generator:
    """Build CMI's generator as it is before every synthesis; its images are in [0, 1].

    Weights N(0, 0.02^2), biases 0, BatchNorm scales N(1, 0.02^2), shifts 0.
    """
    with torch.random.fork_rng(devices=[]):
        net = Generator(nz, size, last=nn.Sigmoid())
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
                mean = 1.0 if isinstance(m, nn.BatchNorm2d) else 0.0
                nn.init.normal_(m.weight, mean, 0.02, generator=generator)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
    return net
