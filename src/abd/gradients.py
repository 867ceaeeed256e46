"""The gradients of those parameters of a network that learn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def learning(net: nn.Module) -> list[nn.Parameter]:
    """The parameters that require gradients, in their order."""
    return [p for p in net.parameters() if p.requires_grad]


def add_gradients(net: nn.Module, gradients: Sequence[Tensor | None]) -> None:
    """Add one gradient to each parameter that learns, also where it has none yet.

    One that none comes to is left as it is: zeros in place of nothing would have an
    optimizer's weight decay shrink it.
    """
    for parameter, gradient in zip(learning(net), gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad += gradient
