"""The networks by name: `build_net("wrn-16-2", n_classes, generator)`.

A name is its family, then the family's numbers: `wrn-<depth>-<width>`. Other packages
add families through the entry-point group `abd.nets`: a factory that takes the numbers,
the number of classes, and a generator or None.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from abd.errors import AbdError
from abd.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["NETS", "build_net", "split_name"]

NETS = Registry("network", "abd.nets", {"wrn": "abd.nets.wide_resnet:build_wrn"})


# What a family's names look like, so that a wrong one is found without building it.
FORMS = {"wrn": ("wrn-<depth>-<width>", r"wrn-([1-9]\d*)-([1-9]\d*)")}


def split_name(name: str) -> tuple[str, list[int]]:
    """Return a network's family and numbers; AbdError where there is no such network."""
    family = name.partition("-")[0]
    _, pattern = FORMS.get(family, ("", r"[^-]+(-\d+)*"))
    if family not in NETS.names() or not re.fullmatch(pattern, name):
        known = [FORMS.get(f, (f"{f}-<numbers>",))[0] for f in NETS.names()]
        raise AbdError(f"network: expected {' or '.join(known)}, got {name!r}")
    numbers = [int(n) for n in name.split("-")[1:]]
    if family == "wrn" and (numbers[0] < 10 or (numbers[0] - 4) % 6):
        raise AbdError(f"network: expected a depth of 6 n + 4 with n >= 1, got {name!r}")
    return family, numbers


def build_net(
    name: str, n_classes: int, generator: torch.Generator | None = None
) -> nn.Module:
    """Build the network `name`, its parameters drawn from `generator`.

    Without a generator the parameters are for the caller to load. Raises AbdError where
    there is no such network.
    """
    family, numbers = split_name(name)
    net: nn.Module = NETS.load(family)(numbers, n_classes, generator)
    return net
