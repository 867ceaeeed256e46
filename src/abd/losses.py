"""Divergences between the predictions of two networks.

`p` is the reference, `q` the approximation: KL(P||Q) = sum p (log p - log q). All are
non-negative and are computed from logits, in float32 whatever the logits' type.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def sample_kl(p_logits: Tensor, q_logits: Tensor, tau: float = 1.0) -> Tensor:
    """KL(softmax(p/tau) || softmax(q/tau)) of each sample, summed over classes.

    Shapes: two (B, K) tensors of logits; returns (B,).
    """
    log_p = F.log_softmax(p_logits.float() / tau, dim=1)
    log_q = F.log_softmax(q_logits.float() / tau, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def batch_kl(p_logits: Tensor, q_logits: Tensor, tau: float = 1.0) -> Tensor:
    """Mean over the batch of `sample_kl`: the sum divided by B."""
    return sample_kl(p_logits, q_logits, tau).mean()


def mean_kl(p_logits: Tensor, q_logits: Tensor, tau: float = 1.0) -> Tensor:
    """`batch_kl` divided by the number of classes: the sum divided by B*K.

    The reference program's "reduction = mean" (method section 0).
    """
    return batch_kl(p_logits, q_logits, tau) / p_logits.shape[1]
