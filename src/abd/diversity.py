"""How many classes a batch of images shows, by what a network says of it."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_classes(logits: Tensor) -> Tensor:
    """The effective number of classes in a batch, a scalar of 1..K.

    The exponential of the entropy of the mean prediction: 1 where all images are surely of
    one class, K where none is commoner than another. logits: (B, K). Some data-free
    distillation trains its generator for it (Chen et al., ICCV 2019: the information
    entropy loss).
    """
    mean = logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(1).mean(0)
    return torch.special.entr(mean).sum().exp()
