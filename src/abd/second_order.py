"""Networks whose gradients are quick to differentiate, as a hypergradient needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from abd.bn_gradient import batch_norm
from abd.conv_gradient import conv2d
from abd.errors import AbdError

# How torch says that a layer has a first derivative alone: in an error, or by a node of the
# gradient's graph, which nothing need ever come to.
ONCE = "derivative for aten::"
ONCE_DIFFERENTIABLE = "torch::autograd::Error"


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


def gradient_with_graph(loss: Tensor, x: Tensor) -> Tensor:
    """The gradient of a loss with respect to x, to be differentiated again.

    Raises AbdError where a part of it is marked `once_differentiable`, which torch would
    take for a constant without a word.
    """
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    seen, left = set(), [gradient.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        if node.name() == ONCE_DIFFERENTIABLE:
            raise _not_twice("that is marked once_differentiable")
        seen.add(node)
        left += [following for following, _ in node.next_functions]
    return gradient


@contextmanager
def second_order_checked() -> Iterator[None]:
    """AbdError where torch knows the first derivative of a layer, and not the second."""
    try:
        yield
    except RuntimeError as error:
        said = str(error).partition("\n")[0]
        if ONCE not in said:
            raise
        raise _not_twice(f"of which torch says: {said}") from None


def _not_twice(layer: str) -> AbdError:
    return AbdError(
        "self-retrospection: expected a student whose layers can all be differentiated "
        f"twice, got one {layer}"
    )


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
