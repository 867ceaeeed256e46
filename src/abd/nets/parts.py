"""How the vaccine takes a network apart: which convolutions it shuffles, what it shares.

A network may say so itself (`shufflable_convs`, `trunk_length`, `forward_trunk`,
`forward_tail`, as `WideResNet` does). One that does not is taken whole: every convolution
may be shuffled, and nothing is shared between teacher and copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from abd.nets.taps import tap_names


def shufflable_convs(net: nn.Module) -> list[str]:
    """Names of the convolution weights in the order that "the last n" counts.

    Registration order (method section 6.1).
    """
    own: Any = getattr(net, "shufflable_convs", None)
    if own is not None:
        return list(own())
    return [f"{name}.weight" for name, m in net.named_modules() if isinstance(m, nn.Conv2d)]


def last_stage_length(net: nn.Module, weights: Sequence[str]) -> int:
    """How many of `weights` belong to the last stage; ValueError for a net without stages.

    A stage ends where it is tapped; the last one is what comes after the tap before.
    """
    ends = tap_names(net)
    if len(ends) < 2:
        raise ValueError("n_conv: expected a number for a network without named stages")
    names = [name for name, _ in net.named_modules()]
    before = max(i for i, n in enumerate(names) if n.startswith(ends[-2]))
    later = {f"{name}.weight" for name in names[before + 1 :]}
    return sum(weight in later for weight in weights)


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
