"""Backdoor triggers: a name, how images are stamped, and whose labels change.

`build_trigger("badnet_sq", size=32)` gives a `Trigger`. Other packages add triggers
through the entry-point group `abd.triggers`: a factory that takes the image size. What
else can be chosen of a trigger are keywords of its factory: `variant`, a `Literal` of
its patterns' names, and every other keyword an array that params may give (an asset). A
factory with a true attribute `hard_images` poisons hard versions of the images.
"""

import inspect
from typing import get_args

import numpy as np

from abd.registry import Registry
from abd.triggers.assets import AssetError
from abd.triggers.base import Trigger

__all__ = [
    "TRIGGERS",
    "AssetError",
    "Trigger",
    "asset_names",
    "build_trigger",
    "needs_hard_images",
    "variant_names",
]

TRIGGERS = Registry(
    "trigger",
    "abd.triggers",
    {
        "badnet_grid": "abd.triggers.patch:badnet_grid",
        "badnet_sq": "abd.triggers.patch:badnet_sq",
        "blend": "abd.triggers.blend:blend",
        "cl": "abd.triggers.clean_label:CornersTrigger",
        "l0_inv": "abd.triggers.masked:l0_inv",
        "l2_inv": "abd.triggers.additive:l2_inv",
        "sig": "abd.triggers.blend:sig",
        "smooth": "abd.triggers.smooth:smooth",
        "trojan_3x3": "abd.triggers.additive:trojan_3x3",
        "trojan_8x8": "abd.triggers.additive:trojan_8x8",
        "trojan_wm": "abd.triggers.additive:trojan_wm",
    },
)


def build_trigger(
    name: str, size: int, variant: str | None = None, **assets: np.ndarray
) -> Trigger:
    """Build the trigger `name` for square images of `size` pixels.

    Raises AbdError for an unknown name, AssetError for an array that is not what the
    trigger needs, ValueError where its pattern does not fit.
    """
    options = assets if variant is None else {**assets, "variant": variant}
    trigger: Trigger = TRIGGERS.load(name)(size, **options)
    return trigger


def asset_names(name: str) -> set[str]:
    """The arrays that params may give in place of the trigger's own."""
    return _keywords(name) - {"variant"}


def variant_names(name: str) -> tuple[str, ...]:
    """The patterns that the trigger has, by name; none where it has but one."""
    if "variant" not in _keywords(name):
        return ()
    signature = inspect.signature(TRIGGERS.load(name), eval_str=True)
    return get_args(signature.parameters["variant"].annotation)


def needs_hard_images(name: str) -> bool:
    """Whether the trigger poisons hard versions of the images (stage harden)."""
    return bool(getattr(TRIGGERS.load(name), "hard_images", False))


def _keywords(name: str) -> set[str]:
    parameters = inspect.signature(TRIGGERS.load(name)).parameters
    return {key for key, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
