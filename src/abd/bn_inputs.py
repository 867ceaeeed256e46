"""What a network's BatchNorm layers are given: statistics that its weights remember.

CMI matches them with the running ones, and takes their means as features (method
section 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def bn_layers(net: nn.Module) -> list[nn.BatchNorm2d]:
    """The BatchNorm layers of a network, in registration order."""
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


@contextmanager
def bn_inputs(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the input (B, C, H, W) of every BatchNorm layer while `net` runs.

    The list fills in registration order with each forward, and is cleared by the next.
    """
    layers = bn_layers(net)
    seen: list[Tensor] = [torch.empty(0)] * len(layers)
    handles = [
        layer.register_forward_pre_hook(
            lambda _module, args, i=i: seen.__setitem__(i, args[0])
        )
        for i, layer in enumerate(layers)
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def bn_divergence(layers: list[nn.BatchNorm2d], inputs: list[Tensor]) -> Tensor:
    """Sum over the layers of ||running_var - var|| + ||running_mean - mean||, a scalar.

    By the statistics of the batch, its variance biased.
    """
    total = torch.zeros((), device=inputs[0].device)
    for layer, x in zip(layers, inputs, strict=True):
        assert layer.running_mean is not None
        assert layer.running_var is not None
        var, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        total = (
            total + (layer.running_var - var).norm() + (layer.running_mean - mean).norm()
        )
    return total


def bn_features(inputs: list[Tensor]) -> Tensor:
    """Spatial means of all the inputs, side by side: float32 (B, sum of channels)."""
    return torch.cat([x.float().mean(dim=(2, 3)) for x in inputs], dim=1)
