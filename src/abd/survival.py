"""How far one picture moves a shuffled teacher: a sign of a backdoor.

Clean features do not survive shuffles of the last convolutions, a backdoor's do (method
section 6.1). So hardly any picture that is added to all images moves the answers of a
shuffled teacher, unless it calls a backdoor. No trigger, no label and no clean image is
needed to see that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from abd.eager import Adam
from abd.losses import batch_kl
from abd.shuffling import Permutations, ShuffledTeacher

Logits = Callable[[Tensor], Tensor]
CHUNK = 256  # images that are looked at together


@dataclass(frozen=True)
class SearchSettings:
    """How a picture is looked for.

    radius: the largest root mean square of its values, in units of the normalised input.
    steps, lr, batch: of Adam. init_sigma: it starts as N(0, init_sigma**2).
    """

    radius: float
    steps: int
    lr: float
    batch: int
    init_sigma: float


@dataclass(frozen=True, eq=False)
class Moved:
    """A picture added to all images, and what it does.

    delta: (3, H, W), in units of the normalised input. divergence: KL of the answers
    without it from those with it, the mean over the images, in nats. moved_to: by class,
    the share of the images that get it with the picture and did not without.
    """

    delta: Tensor
    divergence: float
    moved_to: list[float]


def most_moving(
    logits: Logits, x: Tensor, settings: SearchSettings, stream: torch.Generator
) -> Moved:
    """Look for the picture that moves `logits` most on inputs x (N, 3, H, W).

    `logits` gives (B, K) of (B, 3, H, W) and lets gradients through to its input.
    """
    s = settings
    limit = s.radius * x[0].numel() ** 0.5
    delta = s.init_sigma * torch.randn(x.shape[1:], generator=stream)
    delta = delta.to(x.device).requires_grad_()
    optimizer = Adam([delta], s.lr)
    for _ in range(s.steps):
        idx = torch.randint(len(x), (min(s.batch, len(x)),), generator=stream)
        part = x[idx.to(x.device)]
        with torch.no_grad():
            before = logits(part)
        (delta.grad,) = torch.autograd.grad(-batch_kl(before, logits(part + delta)), delta)
        optimizer.step()
        with torch.no_grad():
            delta *= (limit / delta.norm()).clamp(max=1)
    return _judged(logits, x, delta.detach())


@torch.no_grad()
def _judged(logits: Logits, x: Tensor, delta: Tensor) -> Moved:
    before = torch.cat([logits(part) for part in x.split(CHUNK)])
    after = torch.cat([logits(part + delta) for part in x.split(CHUNK)])
    shares = moved_shares(before, after)
    # Of answers that hardly differ rounding can leave less than nothing.
    return Moved(delta, float(batch_kl(before, after).clamp_min(0)), shares)


def moved_shares(before: Tensor, after: Tensor) -> list[float]:
    """By class, the share of images that get it with a picture and did not without.

    before, after: logits (N, K) without the picture and with it.
    """
    said, says = before.argmax(dim=1), after.argmax(dim=1)
    counts = torch.bincount(says[says != said], minlength=before.shape[1])
    return (counts / len(before)).tolist()


def survivors(
    teacher: nn.Module,
    trials: Sequence[Sequence[Permutations]],
    x: Tensor,
    settings: SearchSettings,
    stream: torch.Generator,
) -> list[Moved]:
    """For every trial's ensemble of shuffled teachers, the picture that moves it most.

    The teacher must be frozen and in eval mode.
    """
    ensembles = [ShuffledTeacher(teacher, members) for members in trials]
    return [
        most_moving(lambda x, e=e: e.shuffled_logits(e.trunk(x)), x, settings, stream)  # type: ignore[misc]
        for e in ensembles
    ]


def score_of(moved: Sequence[Moved]) -> float:
    """The mean divergence of several draws, in nats: the larger, the more suspicious."""
    return sum(one.divergence for one in moved) / len(moved)


def moved_to(moved: Sequence[Moved]) -> list[float]:
    """By class, the mean share of the images that is moved to it."""
    rows = zip(*(one.moved_to for one in moved), strict=True)
    return [sum(row) / len(moved) for row in rows]
