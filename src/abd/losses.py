"""Divergences between the predictions of two networks, and between what they attend to.

`p` is the reference, `q` the approximation: KL(P||Q) = sum p (log p - log q). All are
non-negative and are computed from logits, in float32 or wider whatever the logits' type.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_kl(p_logits: Tensor, q_logits: Tensor, tau: float = 1.0) -> Tensor:
    """KL(softmax(p/tau) || softmax(q/tau)) of each sample, summed over classes.

    Shapes: two (B, K) tensors of logits; returns (B,).
    """
    log_p = F.log_softmax(_wide(p_logits) / tau, dim=1)
    log_q = F.log_softmax(_wide(q_logits) / tau, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def batch_kl(p_logits: Tensor, q_logits: Tensor, tau: float = 1.0) -> Tensor:
    """Mean over the batch of `sample_kl`: the sum divided by B."""
    return sample_kl(p_logits, q_logits, tau).mean()


def mean_kl(p_logits: Tensor, q_logits: Tensor, tau: float = 1.0) -> Tensor:
    """`batch_kl` divided by the number of classes: the sum divided by B*K.

    The reference program's "reduction = mean" (method section 0).
    """
    return batch_kl(p_logits, q_logits, tau) / p_logits.shape[1]


def attention_map(x: Tensor) -> Tensor:
    """Where a layer looks: the channel mean of the squares, scaled to norm 1, (B, H*W).

    x: an activation (B, C, H, W) (method section 5.2).
    """
    energy: Tensor = _ChannelEnergy.apply(x)
    return F.normalize(energy.flatten(1))


class _ChannelEnergy(torch.autograd.Function):
    """The sum of squares over the channels, (B, H, W) of (B, C, H, W).

    As `x.square().sum(1)`, in fewer passes; and its gradient keeps the memory layout of x,
    where that of a sum is laid out anew and slows all that follows.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        wide = torch.promote_types(x.dtype, torch.float32)
        return torch.linalg.vector_norm(x, dim=1, dtype=wide).square()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return (x * (2 * gradient)[:, None]).to(x.dtype)


def attention_transfer(x: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of x's attention map from another, a scalar.

    x: an activation (B, C, H, W); target: an `attention_map` (B, H*W).
    """
    return F.mse_loss(attention_map(x), target)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
