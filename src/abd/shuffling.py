"""Teachers with shuffled channels, and what they do to a loss (method sections 6.1 to 6.4).

A backdoor survives a permutation of input channels in the last convolutions, clean
features do not: images whose prediction stays stable under shuffling are suspicious.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from abd.losses import sample_kl
from abd.nets.parts import (
    TailModule,
    forward_tail,
    forward_trunk,
    last_stage_length,
    shufflable_convs,
    trunk_length,
)

LAST_STAGE = "last_stage"

Permutations = dict[str, Tensor]  # name of a weight -> order of its input channels


def draw_permutations(
    teacher: nn.Module, n_conv: int | str, generator: torch.Generator
) -> Permutations:
    """Draw a permutation of the input channels of each of the last `n_conv` convolutions.

    Independent and uniform, one per weight, in the network's registration order
    (section 6.1); "last_stage" stands for all those of the last stage. Raises ValueError
    where the network has fewer convolutions, or no stages.
    """
    names = shufflable_convs(teacher)
    if n_conv == LAST_STAGE:
        n_conv = last_stage_length(teacher, names)
    if not isinstance(n_conv, int) or not 0 < n_conv <= len(names):
        raise ValueError(f"n_conv: expected 1 to {len(names)}, got {n_conv}")
    parameters = dict(teacher.named_parameters())
    return {
        name: torch.randperm(parameters[name].shape[1], generator=generator)
        for name in names[-n_conv:]
    }


def draw_trial(
    teacher: nn.Module, n_conv: int | str, n_members: int, generator: torch.Generator
) -> list[Permutations]:
    """Draw the permutations of every member of one ensemble."""
    return [draw_permutations(teacher, n_conv, generator) for _ in range(n_members)]


class ShuffledTeacher:
    """An ensemble of shuffled copies of one teacher; its output is the mean of logits.

    The copies share all that comes before the first unit with a permuted weight: that
    trunk runs once. The teacher must be in eval mode and is not changed.
    """

    def __init__(self, teacher: nn.Module, members: Sequence[Permutations]) -> None:
        self.teacher = teacher
        parameters = dict(teacher.named_parameters())
        self.members = [
            {
                name: parameters[name].detach()[:, order.to(parameters[name].device)]
                for name, order in member.items()
            }
            for member in members
        ]
        names = [name for member in members for name in member]
        self.n_shared = trunk_length(teacher, names)
        self._tail = TailModule(teacher, self.n_shared)

    def trunk(self, x: Tensor) -> Tensor:
        """Return the features that teacher and copies share, of inputs (B, 3, H, W)."""
        return forward_trunk(self.teacher, x, self.n_shared)

    def teacher_logits(self, features: Tensor) -> Tensor:
        """Logits (B, K) of the unshuffled teacher from shared features."""
        return forward_tail(self.teacher, features, self.n_shared)

    def shuffled_logits(self, features: Tensor) -> Tensor:
        """Mean logits (B, K) of the shuffled copies from shared features."""
        total = sum(
            functional_call(
                self._tail, {f"net.{k}": w for k, w in member.items()}, (features,)
            )
            for member in self.members
        )
        assert isinstance(total, Tensor)
        return total / len(self.members)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the teacher and of the ensemble, (B, K) each."""
        features = self.trunk(x)
        return self.teacher_logits(features), self.shuffled_logits(features)


def agreement(teacher_logits: Tensor, shuffled_logits: Tensor) -> Tensor:
    """Mask (B,) of suspicious samples: the prediction survives the shuffling (phi)."""
    return teacher_logits.argmax(dim=1) == shuffled_logits.argmax(dim=1)


def stability(
    teacher_logits: Tensor, shuffled_logits: Tensor, average: str = "agreeing"
) -> Tensor:
    """Mean KL(T||T~)/K over the samples on which both agree, a scalar (section 6.3).

    0 where they agree on none. What a generator maximises to leave the stable, that is
    suspicious, images; gradients flow through both. `average` "agreeing" divides by their
    number, as the reference program does, "batch" by the batch's, as printed in the paper.
    """
    phi = agreement(teacher_logits, shuffled_logits)
    kl = sample_kl(teacher_logits, shuffled_logits) / teacher_logits.shape[1]
    n = phi.sum().clamp_min(1) if average == "agreeing" else len(phi)
    return (kl * phi).sum() / n


def sample_weights(suspicious: Tensor, weight: float) -> Tensor:
    """Loss weights (B,) of OOD distillation: `weight` where suspicious, else 1.

    The paper's 1 - phi + phi/alpha with weight = 1/alpha (section 6.4).
    """
    return torch.where(suspicious, weight, 1.0)
