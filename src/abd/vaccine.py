"""Shuffling Vaccine: the search for shuffles that tell suspicious images (section 6).

Scores cached images by how much a shuffled teacher disagrees with the teacher; a heavy
lower tail makes a vaccine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from abd.losses import sample_kl
from abd.shuffling import Permutations, ShuffledTeacher

KL_FLOOR = 1e-12  # an exact zero would make the mean and the deviation NaN


def score(
    teacher_logits: Tensor, shuffled_logits: Tensor, direction: str = "teacher"
) -> Tensor:
    """Log10 of KL/K per sample, (B,): small means stable, that is suspicious.

    `direction` "teacher" is KL(T||T~), as in the reference program; "shuffled" is
    KL(T~||T), as printed in the paper (section 6.2).
    """
    pair = (teacher_logits, shuffled_logits)
    kl = sample_kl(*(pair if direction == "teacher" else pair[::-1]))
    return (kl.clamp_min(KL_FLOOR) / teacher_logits.shape[1]).log10()


@dataclass(frozen=True)
class Tail:
    """The lower tail of a score distribution.

    ratio: weighted share of samples below `cut` = mean - 3 std (population).
    """

    mean: float
    std: float
    cut: float
    ratio: float


def score_tail(scores: Tensor, weights: Tensor, n_sigmas: float = 3.0) -> Tail:
    """Return the lower tail of scores (N,) with non-negative weights (N,), section 6.5.

    Raises ValueError where a score is not finite.
    """
    scores, weights = scores.double(), weights.double()
    if not bool(scores.isfinite().all()):
        raise ValueError("scores: expected finite values; the teacher's logits are not")
    share = weights / weights.sum()
    mean = (share * scores).sum()
    std = (share * (scores - mean) ** 2).sum().sqrt()
    cut = mean - n_sigmas * std
    ratio = share[scores < cut].sum()
    return Tail(mean.item(), std.item(), cut.item(), ratio.item())


@torch.no_grad()
def score_trials(
    teacher: nn.Module,
    trials: Sequence[Sequence[Permutations]],
    batches: Iterable[Tensor],
    direction: str = "teacher",
) -> Tensor:
    """Score cached inputs under every trial's ensemble: (n_trials, N).

    The trunk is run once over the cache for all trials and members together. `batches`
    are inputs (B, 3, H, W); a trial is the list of its members' permutations.
    """
    ensembles = [ShuffledTeacher(teacher, members) for members in trials]
    first = ensembles[0]
    if any(e.n_shared != first.n_shared for e in ensembles):
        raise ValueError("trials: expected permutations of the same layers in all")

    def columns() -> Iterator[Tensor]:
        for x in batches:
            features = first.trunk(x)
            logits = first.teacher_logits(features)
            yield torch.stack(
                [score(logits, e.shuffled_logits(features), direction) for e in ensembles]
            )

    return torch.cat(list(columns()), dim=1)


def first_accepted(tails: Sequence[Tail], threshold: float) -> int | None:
    """Index of the first trial whose tail ratio exceeds `threshold`, None without one."""
    return next((i for i, tail in enumerate(tails) if tail.ratio > threshold), None)
