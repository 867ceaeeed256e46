"""How the vaccine takes a network apart: which convolutions it shuffles, what it shares.

A network may say so itself (`shufflable_convs`, `trunk_length`, `forward_trunk`,
`forward_tail`, as `WideResNet` does). One that does not is taken whole: every convolution
may be shuffled, and nothing is shared between teacher and copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn


def shufflable_convs(net: nn.Module) -> list[str]:
    """Names of the convolution weights in the order that "the last n" counts.

    Registration order (method section 6.1).
    """
    own: Any = getattr(net, "shufflable_convs", None)
    if own is not None:
        return list(own())
    return [f"{name}.weight" for name, m in net.named_modules() if isinstance(m, nn.Conv2d)]


def trunk_length(net: nn.Module, weights: Sequence[str]) -> int:
    """How many units come before the first that holds one of `weights`."""
    own: Any = getattr(net, "trunk_length", None)
    return 0 if own is None else int(own(list(weights)))


def forward_trunk(net: nn.Module, x: Tensor, n_units: int) -> Tensor:
    """Run the first `n_units` units; return the next one's input."""
    if n_units == 0:
        return x
    features: Tensor = net.forward_trunk(x, n_units)  # type: ignore[operator]
    return features


def forward_tail(net: nn.Module, features: Tensor, n_units: int) -> Tensor:
    """Run the units after the first `n_units`, and the head; return logits (B, K)."""
    if n_units == 0:
        whole: Tensor = net(features)
        return whole
    logits: Tensor = net.forward_tail(features, n_units)  # type: ignore[operator]
    return logits


class TailModule(nn.Module):
    """`forward_tail` as a module, so that its weights can be replaced in a call."""

    def __init__(self, net: nn.Module, n_units: int) -> None:
        super().__init__()
        self.net = net
        self.n_units = n_units

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits (B, K) of shared features."""
        return forward_tail(self.net, features, self.n_units)
