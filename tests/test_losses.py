import math

import pytest
import torch
import torch.nn.functional as F

from abd.losses import batch_kl, mean_kl, sample_kl


def test_hand_computation():
    """P = (1/2, 1/2), Q = (3/4, 1/4): KL = log 2 - (log 3)/2."""
    p = torch.tensor([[0.0, 0.0]])
    q = torch.tensor([[math.log(3.0), 0.0]])
    expected = math.log(2) - math.log(3) / 2
    assert sample_kl(p, q).item() == pytest.approx(expected)
    assert batch_kl(p, q).item() == pytest.approx(expected)
    assert mean_kl(p, q).item() == pytest.approx(expected / 2)


@pytest.mark.parametrize("tau", [0.5, 1.0, 8.0])
def test_agrees_with_torch(tau, stream):
    p, q = torch.randn(2, 7, 5, generator=stream)
    theirs = F.kl_div(
        F.log_softmax(q / tau, 1),
        F.log_softmax(p / tau, 1),
        reduction="batchmean",
        log_target=True,
    )
    assert batch_kl(p, q, tau).item() == pytest.approx(theirs.item(), rel=1e-5)
    assert mean_kl(p, q, tau).item() == pytest.approx(theirs.item() / 5, rel=1e-5)


def test_non_negative_and_zero_at_equality(stream):
    p, q = torch.randn(2, 50, 10, generator=stream)
    assert (sample_kl(p, q) > 0).all()
    assert torch.allclose(sample_kl(p, p + 3), torch.zeros(50), atol=1e-6)
