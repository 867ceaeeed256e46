"""What the methods need to know of a network before any is trained."""

from __future__ import annotations

from dataclasses import dataclass

from abd.errors import AbdError
from abd.nets.names import is_import_path

RESNET_CONVS = {"18": 17, "34": 33}


@dataclass(frozen=True)
class Layout:
    """n_stages: named ones, whose ends can be tapped; n_convs: that can be shuffled."""

    n_stages: int
    n_convs: int
    has_batch_norm: bool


def known_layout(name: str) -> Layout | None:
    """The layout of a network of ours, by its name alone; None for any other."""
    if is_import_path(name):
        return None
    family, _, options = name.partition("-")
    if family == "resnet":
        return Layout(4, RESNET_CONVS[options[:2]], has_batch_norm=True)
    if family == "wrn":
        depth, width = map(int, options.split("-"))
        n_blocks = (depth - 4) // 2
        # A shortcut where the width changes: not at 16 -> 16 of the first stage.
        n_shortcuts = 2 + (width > 1)
        return Layout(3, 1 + 2 * n_blocks + n_shortcuts, has_batch_norm=True)
    return None


def built_layout(name: str, n_classes: int, size: int) -> Layout:
    """The layout of any network, found by building it and showing it black images.

    Raises AbdError where it cannot be built, or does not answer with logits.
    """
    import torch

    from abd.bn_inputs import bn_layers
    from abd.nets import build_net
    from abd.nets.parts import shufflable_convs
    from abd.nets.taps import tap_names

    try:
        net = build_net(name, n_classes, torch.Generator()).eval()
        with torch.no_grad():
            answer = net(torch.zeros(2, 3, size, size))
    except AbdError:
        raise
    except Exception as error:  # it is the user's code: anything can come out of it
        first_line = str(error).partition("\n")[0]
        raise AbdError(
            f"network {name}: expected one that answers images (2, 3, {size}, {size}), "
            f"got {type(error).__name__}: {first_line}"
        ) from None
    shape = tuple(getattr(answer, "shape", ()))
    if shape != (2, n_classes):
        got = shape or type(answer).__name__
        raise AbdError(
            f"network {name}: expected logits (2, {n_classes}) of images "
            f"(2, 3, {size}, {size}), got {got}"
        )
    return Layout(
        len(tap_names(net)), len(shufflable_convs(net)), has_batch_norm=bool(bn_layers(net))
    )
