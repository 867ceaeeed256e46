"""The effective number of classes: closed forms."""

import math

import pytest
import torch

from abd.diversity import effective_classes

SURE = 50.0


def _of_classes(*classes, k=5):
    return SURE * torch.eye(k, dtype=torch.double)[list(classes)]


@pytest.mark.parametrize(
    ("logits", "n"),
    [
        (_of_classes(2, 2, 2), 1.0),
        (_of_classes(0, 1, 2, 3, 4), 5.0),
        (_of_classes(0, 0, 3, 3), 2.0),
        # entropy of (3/4, 1/4): ln 4 - 3/4 ln 3
        (_of_classes(1, 1, 1, 2), 4 / 3**0.75),
        (torch.zeros(3, 7, dtype=torch.double), 7.0),
    ],
)
def test_closed_forms(logits, n):
    assert effective_classes(logits).item() == pytest.approx(n, rel=1e-9)


def test_unsure_answers_count_in_part():
    logits = torch.tensor([[0.9, 0.1]], dtype=torch.double).log()
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert effective_classes(logits).item() == pytest.approx(math.exp(entropy))


def test_half_precision_is_widened():
    logits = torch.zeros(2, 1000, dtype=torch.bfloat16)
    assert effective_classes(logits).item() == pytest.approx(1000, rel=1e-3)
