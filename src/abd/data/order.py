"""The order of a data set: one that is sorted by class is shuffled (section 1.4).

Which samples are poisoned, and which stay clean, goes by position: in a sorted set the
last classes alone would be the clean ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from abd.data.arrays import PARTS, ArrayDataset
from abd.seeding import numpy_stream


def in_class_runs(labels: np.ndarray) -> bool:
    """Whether labels (N,) change less than half as often as in a random order.

    So of sorted sets, of sorted files one after another, and of films cut to frames.
    """
    changes = np.count_nonzero(labels[1:] != labels[:-1])
    share = np.bincount(labels) / len(labels)
    return bool(changes < len(labels) * (1 - np.sum(share**2)) / 2)


def shuffle_class_runs(dataset: ArrayDataset) -> tuple[ArrayDataset, list[str]]:
    """Return the data set with the parts shuffled that are sorted by class, and which.

    The permutation is always the same for the same number of samples.
    """
    shuffled = [part for part in PARTS if in_class_runs(getattr(dataset, f"y_{part}"))]
    arrays: dict[str, Any] = {}
    for part in shuffled:
        stream = numpy_stream(0, "data", "order", part)
        order = stream.permutation(len(getattr(dataset, f"y_{part}")))
        arrays |= {f"{k}_{part}": getattr(dataset, f"{k}_{part}")[order] for k in "xy"}
    return replace(dataset, **arrays), shuffled
