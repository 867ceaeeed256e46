"""The networks by name: `build_net("wrn-16-2", n_classes, generator)`.

A name is its family, then the family's numbers: `wrn-<depth>-<width>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abd.errors import AbdError
from abd.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["NETS", "build_net", "split_name"]

NETS = Registry("network", "abd.nets", {"wrn": "abd.nets.wide_resnet:build_wrn"})


def split_name(name: str) -> tuple[str, list[int]]:
    """Return a network's family and numbers; AbdError where the name has another form."""
    family, *numbers = name.split("-")
    if family not in NETS.names() or not all(n.isdigit() for n in numbers):
        known = ", ".join(f"{family}-<numbers>" for family in NETS.names())
        raise AbdError(f"network: expected {known}, got {name!r}")
    return family, [int(n) for n in numbers]


def build_net(
    name: str, n_classes: int, generator: torch.Generator | None = None
) -> nn.Module:
    """Build the network `name`, its parameters drawn from `generator`.

    Without a generator the parameters are for the caller to load. Raises AbdError for
    an unknown name, ValueError for numbers that the family does not have.
    """
    family, numbers = split_name(name)
    net: nn.Module = NETS.load(family)(numbers, n_classes, generator)
    return net
