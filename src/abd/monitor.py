"""The monitor: shows Acc and ASR while a student learns; nothing learns from it.

It looks at test data and trigger, which the defender does not have. Its numbers go to
the history and the progress bar and never back into the loop; its code is not part of
any stage's digest.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from abd.metrics import EvalSet, evaluate


class Monitor(Protocol):
    """Looks at a network and returns named numbers; changes nothing in it."""

    def __call__(self, net: nn.Module) -> dict[str, float]:
        """Return the numbers of one look."""
        ...


class EvalMonitor:
    """Acc and ASR on a test set."""

    def __init__(self, test: EvalSet) -> None:
        self.test = test

    def __call__(self, net: nn.Module) -> dict[str, float]:
        """Return {"acc": ..., "asr": ...}, fractions."""
        counts = evaluate(net, self.test)
        return {"acc": counts.acc, "asr": counts.asr}
