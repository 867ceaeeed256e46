"""BatchNorm in train mode whose gradient is itself quick to differentiate.

torch derives the second order from some thirty sums and products over the activation;
written out by hand it takes a few. With x^ = (x - mean) r and r = 1 / sqrt(var + eps) the
gradient of the layer's input is dx = w r (g - mean(g) - x^ mean(g x^)); its derivatives
along u are, per channel, sums of multiples of u, g and x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def batch_norm(layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """What `layer`, in train mode and affine, makes of x (B, C, H, W)."""
    if layer.track_running_stats:
        with torch.no_grad():
            type(layer).forward(layer, x)
    y: Tensor = _BatchNorm.apply(x, layer.weight, layer.bias, layer.eps)
    return y


class _BatchNorm(torch.autograd.Function):
    """x (B, C, H, W), weight and bias (C,) -> y (B, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        y, mean, r = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, r)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, r = ctx.saved_tensors
        return *_Gradient.apply(g, x, weight, mean, r, ctx.eps), None


class _Gradient(torch.autograd.Function):
    """g, x (B, C, H, W), weight, mean, r (C,) -> the gradients of x, weight and bias."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, weight: Tensor, mean: Tensor, r: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        dx, dw, db = torch.ops.aten.native_batch_norm_backward(
            g, x, weight, None, None, mean, r, True, eps, (True, True, True)
        )
        ctx.save_for_backward(g, x, weight, mean, r, dw, db)
        return dx, dw, db

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor, p: Tensor, q: Tensor) -> tuple[Tensor | None, ...]:
        g, x, w, mean, r, dw, db = ctx.saved_tensors
        n = x.numel() // len(w)
        u_sum, ug, ux = _sum(u), _dots(u, g), _dots(u, x)
        b = r * (ux - mean * u_sum)  # <u, x^>; dw is <g, x^>, db the sum of g
        wr = w * r
        slope = ug - u_sum * db / n - b * dw / n  # <u, dx> / (w r)

        # Of g: the same operator applied to u, and what the gradients of w and b add.
        of_x = (p - wr * b / n) * r
        grad_g = _affine(u, wr, x, of_x, q - wr * u_sum / n - of_x * mean)

        # Of x: <u, dx> + <p, dw> depends on x^ by h = alpha u + kappa g, and on r.
        alpha, kappa = -wr * dw / n, p - wr * b / n
        h_sum = alpha * u_sum + kappa * db
        h_dot = alpha * b + kappa * dw
        of_x = -r * r * (h_dot + wr * slope) / n
        grad_x = _affine(u, r * alpha, g, r * kappa, -r * h_sum / n - of_x * mean)
        grad_x.addcmul_(x, of_x[:, None, None])
        return grad_g, grad_x, r * slope, None, None, None


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B*H*W, C), without a copy where channels lie together."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _sum(x: Tensor) -> Tensor:
    """Sum over all but the channels, (C,), as a product of matrices: the fastest way."""
    rows = _rows(x)
    return rows.new_ones(1, len(rows)).mm(rows)[0]


def _dots(x: Tensor, y: Tensor) -> Tensor:
    """Sum of x*y over all but the channels, (C,); the other products are few, and free."""
    return _rows(x).t().mm(_rows(y)).diagonal()


def _affine(x: Tensor, a: Tensor, y: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return a x + b y + c with one a, b and c per channel."""
    a, b, c = (v[:, None, None] for v in (a, b, c))
    return torch.addcmul(c, x, a).addcmul_(y, b)
