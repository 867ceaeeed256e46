"""Stage score: how well the vaccine's score tells stamped from clean test images.

A diagnostic (method section 8, figure 4). It looks at test data and trigger; nothing that
decides reads what it writes. Where no vaccine was found it is of the first draw.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import auc, roc_curve
from torch import Tensor, nn

from abd.pixels import Normalization
from abd.shuffling import Permutations
from abd.stages.distilling import load_permutations, load_teacher
from abd.stages.job import Job
from abd.stages.load import use_numerics
from abd.stages.testset import load_test
from abd.storage.arrays import write_arrays
from abd.storage.files import read_json, write_json
from abd.vaccine import score_trials

BATCH = 256


def run(job: Job) -> None:
    """Score all clean and all stamped test images under the vaccine's shuffles."""
    config = job.config
    device = use_numerics(config["numerics"])
    teacher = load_teacher(job, device)
    members = load_permutations(job)
    test = load_test(job, "test", device)
    clean, stamped = (
        _scores(teacher, members, pixels, test.normalize, config["direction"])
        for pixels in (test.pixels, test.stamped)
    )
    is_stamped = np.repeat([0, 1], [len(clean), len(stamped)])
    # A small score is suspicious, so its negative is the evidence.
    fpr, tpr, _ = roc_curve(is_stamped, -np.concatenate([clean, stamped]))
    verdict = read_json(job.inputs["vaccine"])
    write_json(
        job.outputs["score"],
        {
            "auc": float(auc(fpr, tpr)),
            "found": verdict["found"],
            "trial": verdict["trial"] if verdict["found"] else 0,
            "n_clean": len(clean),
            "n_stamped": len(stamped),
        },
    )
    write_arrays(job.outputs["roc"], fpr=fpr, tpr=tpr)
    write_arrays(job.outputs["scores"], clean=clean, stamped=stamped)


def _scores(
    teacher: nn.Module,
    members: list[Permutations],
    pixels: Tensor,
    normalize: Normalization,
    direction: str,
) -> np.ndarray:
    """Scores (N,) of pixels (N, 3, H, W)."""
    batches = (normalize(part) for part in pixels.split(BATCH))
    return score_trials(teacher, [members], batches, direction)[0].cpu().numpy()
