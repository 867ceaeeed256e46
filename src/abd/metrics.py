"""What a network is measured by: Acc and ASR (method section 1.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from abd.frozen import in_eval_mode
from abd.pixels import Normalization

BATCH = 500


@dataclass(frozen=True, eq=False)
class EvalSet:
    """Clean test pixels (N, 3, H, W) with labels (N,), and stamped ones (M, 3, H, W).

    `stamped` holds every test image whose class is not `target`, with the trigger.
    """

    pixels: Tensor
    labels: Tensor
    stamped: Tensor
    target: int
    normalize: Normalization


@dataclass(frozen=True)
class Counts:
    """Correct among `n_clean`, predicted as the target class among `n_stamped`."""

    n_correct: int
    n_clean: int
    n_target: int
    n_stamped: int

    @property
    def acc(self) -> float:
        """Accuracy on clean test images, a fraction."""
        return self.n_correct / self.n_clean

    @property
    def asr(self) -> float:
        """Attack success rate on stamped test images, a fraction."""
        return self.n_target / self.n_stamped


@contextmanager
def eval_mode(net: nn.Module) -> Iterator[None]:
    """Switch `net` to eval mode, without gradients, and back."""
    with in_eval_mode(net), torch.no_grad():
        yield


def predict(net: nn.Module, pixels: Tensor, normalize: Normalization) -> Tensor:
    """Predicted classes (N,) of pixels (N, 3, H, W), with `net` in eval mode.

    In float32, whatever the precision that the network is trained in.
    """
    with eval_mode(net), torch.autocast(pixels.device.type, enabled=False):
        return torch.cat(
            [net(normalize(part)).argmax(dim=1) for part in pixels.split(BATCH)]
        )


def evaluate(net: nn.Module, test: EvalSet) -> Counts:
    """Count what Acc and ASR are made of; changes nothing in `net`."""
    correct = predict(net, test.pixels, test.normalize) == test.labels
    hit = predict(net, test.stamped, test.normalize) == test.target
    return Counts(int(correct.sum()), len(correct), int(hit.sum()), len(hit))
