"""Which training samples an attacker poisons, and what becomes of them (section 1.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abd.triggers.base import Trigger


@dataclass(frozen=True, eq=False)
class PoisonedSamples:
    """The poisoned samples of a training set: indices, stamped images and labels."""

    idx: np.ndarray
    images: np.ndarray
    labels: np.ndarray


def select_samples(
    labels: np.ndarray, target: int, rate: float, holdout: float, clean_label: bool
) -> np.ndarray:
    """Return the indices of the samples to poison, ascending.

    The last int(holdout * N) samples stay clean. Of the rest, the first int(rate * N)
    in data set order are taken whose label is not `target` (dirty label) or is `target`
    (clean label; as many as there are). The order must be random in class. Raises
    ValueError where too few samples qualify.
    """
    n_free = len(labels) - int(holdout * len(labels))
    n_poison = int(rate * len(labels))
    wanted = (labels == target) if clean_label else (labels != target)
    candidate_idx = np.flatnonzero(wanted[:n_free])
    if n_poison == 0:
        raise ValueError(
            f"poison.rate: expected at least one of {len(labels)} samples, got {rate}"
        )
    if not clean_label and len(candidate_idx) < n_poison:
        raise ValueError(
            f"poison.rate: expected at most {len(candidate_idx)} samples, those outside "
            f"class {target} and the holdout, got {n_poison}"
        )
    if len(candidate_idx) == 0:
        raise ValueError(
            f"poison.target: expected samples of class {target} outside the holdout, got "
            "none"
        )
    return candidate_idx[:n_poison]


def poison_samples(
    images: np.ndarray,
    labels: np.ndarray,
    trigger: Trigger,
    target: int,
    rate: float,
    holdout: float,
) -> PoisonedSamples:
    """Select, stamp and relabel the samples that `trigger` poisons.

    `images` are uint8 (N, H, W, 3), `labels` integers (N,); both stay unchanged.
    """
    idx = select_samples(labels, target, rate, holdout, trigger.clean_label)
    return PoisonedSamples(
        idx=idx,
        images=trigger.stamp(images[idx]),
        labels=np.full(len(idx), target, labels.dtype),
    )


def stamp_test_set(
    images: np.ndarray, labels: np.ndarray, trigger: Trigger, target: int
) -> np.ndarray:
    """Stamp every test image whose class is not the target: the images ASR counts.

    Target-class images are left out (method section 1.2).
    """
    return trigger.stamp(images[labels != target])
