"""Backdoor triggers: a name, how images are stamped, and whose labels change.

`build_trigger("badnet_sq", size=32)` gives a `Trigger`. Other packages add triggers
through the entry-point group `abd.triggers`: a factory that takes the image size.
"""

from abd.registry import Registry
from abd.triggers.base import Trigger

__all__ = ["TRIGGERS", "Trigger", "build_trigger"]

TRIGGERS = Registry(
    "trigger",
    "abd.triggers",
    {
        "badnet_grid": "abd.triggers.patch:badnet_grid",
        "badnet_sq": "abd.triggers.patch:badnet_sq",
        "trojan_wm": "abd.triggers.additive:trojan_wm",
    },
)


def build_trigger(name: str, size: int) -> Trigger:
    """Build the trigger `name` for square images of `size` pixels.

    Raises AbdError for an unknown name, ValueError where the pattern does not fit.
    """
    trigger: Trigger = TRIGGERS.load(name)(size)
    return trigger
