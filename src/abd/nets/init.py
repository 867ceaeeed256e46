"""torch's default initialisation, drawn from a stream of one's own."""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def init_default(layer: nn.Linear | nn.Conv2d, generator: torch.Generator) -> None:
    """Draw weight, then bias, uniform within 1/sqrt(fan in) (method section 0)."""
    bound = 1 / math.sqrt(layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
