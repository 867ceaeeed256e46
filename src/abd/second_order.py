"""Networks whose gradients are quick to differentiate, as a hypergradient needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from abd.bn_gradient import batch_norm
from abd.conv_gradient import conv2d


@contextmanager
def quick_second_order(net: nn.Module) -> Iterator[None]:
    """Let the forwards of `net` in this block be quick to differentiate twice, not thrice.

    Concerns its BatchNorm2d layers in train mode and its convolutions; outputs, gradients
    and running statistics are as ever. Attention takes the one form of it that torch can
    differentiate twice.
    """
    quick = {m: forward for m in net.modules() if (forward := _forward(m))}
    try:
        for layer, forward in quick.items():
            layer.forward = forward
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for layer in quick:
            del layer.forward


def _forward(layer: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """The layer's forward in quick form; None where it has none, or one of a user's own."""
    if "forward" in vars(layer):
        return None
    if type(layer) is nn.BatchNorm2d and layer.affine and layer.training:
        return lambda x: batch_norm(layer, x)
    if (
        type(layer) is nn.Conv2d
        and layer.bias is None
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    ):
        return lambda x: conv2d(layer, x)
    return None
