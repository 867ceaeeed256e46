"""Divergences between the predictions of two networks, and between what they attend to.

`p` is the reference, `q` the approximation: KL(P||Q) = sum p (log p - log q). All are
non-negative and are computed from logits, in float32 or wider whatever the logits' type.
"""

from __future__ import annotations

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


def attention_transfer(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of two attention maps, a scalar (method section 5.2).

    a, b: activations (B, C, H, W) of the same B, H and W. An attention map is the channel
    mean of the squares, flattened and scaled to norm 1 for each sample.
    """
    map_a, map_b = (F.normalize(_wide(x).square().mean(1).flatten(1)) for x in (a, b))
    return F.mse_loss(map_a, map_b)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
