import pytest
import torch
from torch import nn

from abd.metrics import EvalSet, eval_mode, evaluate, predict


class Brightness(nn.Module):
    """Predicts class 1 for bright images, else 0."""

    def forward(self, x):
        bright = x.mean(dim=(1, 2, 3))
        return torch.stack([-bright, bright], dim=1)


@pytest.fixture
def test_set(normalize):
    dark, bright = (torch.full((3, 16, 16), v, dtype=torch.uint8) for v in (0, 255))
    return EvalSet(
        pixels=torch.stack([dark, bright, bright, dark]),
        labels=torch.tensor([0, 1, 0, 0]),
        stamped=torch.stack([bright, dark, bright]),
        target=1,
        normalize=normalize,
    )


def test_counts(test_set):
    counts = evaluate(Brightness(), test_set)
    assert (counts.n_correct, counts.n_clean) == (3, 4)
    assert (counts.n_target, counts.n_stamped) == (2, 3)
    assert counts.acc == 0.75
    assert counts.asr == pytest.approx(2 / 3)


def test_prediction_is_the_same_in_parts(teacher, normalize, stream, monkeypatch):
    pixels = torch.randint(0, 256, (11, 3, 16, 16), generator=stream).to(torch.uint8)
    whole = predict(teacher, pixels, normalize)
    monkeypatch.setattr("abd.metrics.BATCH", 4)
    assert torch.equal(predict(teacher, pixels, normalize), whole)


def test_mode_is_restored(student, test_set):
    student.train()
    evaluate(student, test_set)
    assert student.training
    with pytest.raises(RuntimeError), eval_mode(student):
        raise RuntimeError
    assert student.training


def test_a_network_is_told_of_its_mode(test_set):
    """As those want it that merge weights for evaluation, and part them again."""
    net = Brightness()
    told = []
    net.train = lambda mode=True: told.append(mode)
    evaluate(net, test_set)
    assert told[-2:] == [False, True]


def test_every_layer_is_put_back_in_its_own_mode(student, test_set):
    """Also those that their owner keeps in another than the network's."""
    student.train().bn.eval()
    evaluate(student, test_set)
    assert student.conv.training
    assert not student.bn.training
