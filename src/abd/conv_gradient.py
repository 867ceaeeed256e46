"""A convolution whose gradient is itself quick to differentiate.

The gradients of a convolution are bilinear in what it is given, so those of the gradients
are convolutions and gradients of convolutions again. torch computes the part that belongs
to the weights as a convolution with a kernel as large as the image, wanted or not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Settings = tuple[Any, Any, Any, int]  # stride, padding, dilation, groups


def conv2d(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """What `layer`, zero-padded by numbers and without a bias, makes of x (B, C, H, W)."""
    settings = (layer.stride, layer.padding, layer.dilation, layer.groups)
    y: Tensor = _Convolution.apply(x, layer.weight, settings)
    return y


def _conv(x: Tensor, weight: Tensor, settings: Settings) -> Tensor:
    return torch.conv2d(x, weight, None, *settings)


def _gradients(
    g: Tensor, x: Tensor, weight: Tensor, settings: Settings, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of input and weights, where they are wanted."""
    stride, padding, dilation, groups = settings
    dx, dw, _ = torch.ops.aten.convolution_backward(
        g,
        x,
        weight,
        None,
        stride,
        padding,
        dilation,
        False,
        (0, 0),
        groups,
        (*wanted, False),
    )
    return dx, dw


class _Convolution(torch.autograd.Function):
    """x (B, C, H, W), weight -> y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, settings: Settings) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.settings = settings
        return _conv(x, weight, settings)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return *_Gradient.apply(g, *ctx.saved_tensors, ctx.settings), None


class _Gradient(torch.autograd.Function):
    """g, x, weight -> the gradients of x and weight, dx and dw."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, weight: Tensor, settings: Settings
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(g, x, weight)
        ctx.settings = settings
        return _gradients(g, x, weight, settings, (True, True))  # type: ignore[return-value]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor | None, p: Tensor | None) -> tuple[Tensor | None, ...]:
        g, x, weight = ctx.saved_tensors
        grad_g = grad_x = grad_weight = None
        if u is not None:
            grad_g = _conv(u, weight, ctx.settings)
            _, grad_weight = _gradients(g, u, weight, ctx.settings, (False, True))
        if p is not None:
            along = _conv(x, p, ctx.settings)
            grad_g = along if grad_g is None else grad_g.add_(along)
            grad_x, _ = _gradients(g, x, p, ctx.settings, (True, False))
        return grad_g, grad_x, grad_weight, None
