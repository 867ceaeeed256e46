"""Adversarial examples by PGD, and hard images made of them (method section 2.2).

Everything is in pixel space, in front of the normalisation; lengths are grey levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.frozen import in_eval_mode
from abd.pixels import Normalization
from abd.seeding import torch_stream

BATCH = 500


@dataclass(frozen=True)
class Attack:
    """Untargeted projected gradient ascent on the cross-entropy of the true labels.

    From a random start within eps of every channel value, `steps` steps of length `step`
    along the gradient's sign; the result is within eps and in 0..255.
    """

    eps: float
    step: float
    steps: int
    normalize: Normalization

    def __call__(
        self, net: nn.Module, pixels: Tensor, labels: Tensor, stream: torch.Generator
    ) -> Tensor:
        """Return float32 pixels (B, 3, H, W) that `net`, in eval mode, is misled by.

        Leaves `net` as it was: its mode, its statistics, its gradients.
        """
        clean = pixels.to(torch.float32)
        low, high = (clean - self.eps).clamp(min=0), (clean + self.eps).clamp(max=255)
        start = torch.rand(clean.shape, generator=stream).to(clean.device)
        x = (clean + self.eps * (2 * start - 1)).clamp(low, high)
        with in_eval_mode(net):
            for _ in range(self.steps):
                x.requires_grad_()
                # A sum: how far an image moves must not depend on the batch it is in.
                loss = F.cross_entropy(net(self.normalize(x)), labels, reduction="sum")
                (gradient,) = torch.autograd.grad(loss, x)
                x = (x.detach() + self.step * gradient.sign()).clamp(low, high)
        return x


def harden(
    net: nn.Module, pixels: Tensor, labels: Tensor, attack: Attack, seed: int
) -> Tensor:
    """Return hard versions of uint8 pixels (N, 3, H, W), rounded to uint8.

    With a whole eps none is farther than eps from its original.
    """
    parts = zip(pixels.split(BATCH), labels.split(BATCH), strict=True)
    hard = [
        attack(net, x, y, torch_stream(seed, "harden", "attack", i)).round()
        for i, (x, y) in enumerate(parts)
    ]
    return torch.cat(hard).to(torch.uint8)
