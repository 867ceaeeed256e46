"""Activations inside a network, read while it runs: what attention transfer compares.

A network names them (`taps`), and may hand them out itself (`forward_tapped`, as
`WideResNet` does): a compiler follows that, where it does not follow hooks.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def tap_names(net: nn.Module) -> list[str]:
    """Names of the submodules whose outputs are tapped: the ends of a network's stages.

    Empty for a network that does not say.
    """
    own = getattr(net, "taps", None)
    return [] if own is None else list(own())


def tapped(net: nn.Module, x: Tensor, names: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
    """Return logits (B, K) and the outputs of the submodules `names`, in their order."""
    if not names:
        return net(x), []
    own = getattr(net, "forward_tapped", None)
    if own is not None and list(names) == tap_names(net):
        logits, outputs = own(x)
        return logits, outputs
    return hooked(net, x, names)


def hooked(net: nn.Module, x: Tensor, names: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
    """`tapped` for a network that only names its taps."""
    seen: dict[str, Tensor] = {}
    handles = [
        net.get_submodule(name).register_forward_hook(
            lambda _module, _args, output, name=name: seen.__setitem__(name, output)
        )
        for name in names
    ]
    try:
        logits: Tensor = net(x)
    finally:
        for handle in handles:
            handle.remove()
    return logits, [seen[name] for name in names]
