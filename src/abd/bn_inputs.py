"""What a network's BatchNorm layers are given: statistics that its weights remember.

CMI matches them with the running ones, and takes their means as features (method
section 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def bn_layers(net: nn.Module) -> list[nn.BatchNorm2d]:
    """The BatchNorm layers of a network, in registration order."""
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


@torch.no_grad()
def bn_layers_used(net: nn.Module, x: Tensor) -> list[nn.BatchNorm2d]:
    """Those BatchNorm layers of a network that a forward of x passes.

    A network may have others, in heads that serve its training alone.
    """
    layers = bn_layers(net)
    with bn_inputs(layers) as seen:
        net(x)
    return [layer for layer, own in zip(layers, seen, strict=True) if own.numel()]


@contextmanager
def bn_inputs(layers: Sequence[nn.BatchNorm2d]) -> Iterator[list[Tensor]]:
    """Collect what the layers are given, (B, C, H, W) each, while their network runs.

    Each forward puts its inputs in the place of the last one's, in the order of `layers`;
    of a layer that no forward has passed there is an empty tensor.
    """
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


def bn_divergence(layers: Sequence[nn.BatchNorm2d], inputs: Sequence[Tensor]) -> Tensor:
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


def bn_features(inputs: Sequence[Tensor]) -> Tensor:
    """Spatial means of all the inputs, side by side: float32 (B, sum of channels)."""
    return torch.cat([x.float().mean(dim=(2, 3)) for x in inputs], dim=1)
