"""The networks by name: `build_net("wrn-16-2", n_classes, generator)`.

A name is its family, then the family's options: `wrn-<depth>-<width>`, `resnet-18`. Other
packages add families through the entry-point group `abd.nets`: a factory that takes the
options, the number of classes, and a generator or None. Any module of one's own goes by
its import path, `my_package.nets:MyNet`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abd.nets.names import is_import_path, split_arguments, split_name
from abd.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["NETS", "build_net", "check_name", "identity"]

NETS = Registry(
    "network",
    "abd.nets",
    {"resnet": "abd.nets.resnet:build_resnet", "wrn": "abd.nets.wide_resnet:build_wrn"},
)


def check_name(name: str) -> None:
    """Raise AbdError where there is no such network; imports none."""
    if is_import_path(name):
        from abd.nets.foreign import source_digest

        split_arguments(name)
        source_digest(name)
    else:
        split_name(name, NETS.names())


def build_net(
    name: str, n_classes: int, generator: torch.Generator | None = None
) -> nn.Module:
    """Build the network `name`, its parameters drawn from `generator`.

    Without a generator the parameters are for the caller to load. Raises AbdError where
    there is no such network.
    """
    if is_import_path(name):
        from abd.nets.foreign import build_foreign

        return build_foreign(name, n_classes, generator)
    family, options = split_name(name, NETS.names())
    net: nn.Module = NETS.load(family)(options, n_classes, generator)
    return net


def identity(name: str) -> dict[str, str]:
    """What decides a network's behaviour, for the digest of the jobs that use it."""
    if is_import_path(name):
        from abd.nets.foreign import source_digest

        return {"module": name.partition(":")[0], "plugin": source_digest(name)}
    return NETS.identity(split_name(name, NETS.names())[0])
