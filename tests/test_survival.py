"""How far one picture moves a network: closed forms and properties."""

import pytest
import torch
from torch import nn

from abd.losses import batch_kl
from abd.seeding import torch_stream
from abd.shuffling import draw_trial
from abd.survival import SearchSettings, most_moving, survivors

SETTINGS = SearchSettings(radius=0.5, steps=30, lr=0.1, batch=16, init_sigma=0.01)


def _stream():
    return torch_stream(0, "tests", "survival")


@pytest.fixture
def x():
    return torch.randn(40, 3, 16, 16, generator=torch_stream(0, "tests", "images"))


class Linear(nn.Module):
    """Two classes: a weight's inner product with the image, and nothing."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, x):
        inner = (x * self.weight).sum(dim=(1, 2, 3))
        return torch.stack([inner, torch.zeros_like(inner)], dim=1)


def test_of_a_linear_network_it_is_along_the_weight(x):
    weight = torch.zeros(3, 16, 16)
    weight[0, 2:6, 2:6] = 1.0
    found = most_moving(Linear(weight), x, SETTINGS, _stream())
    away = torch.nn.functional.cosine_similarity(
        found.delta.flatten(), weight.flatten(), dim=0
    )
    assert abs(float(away)) > 0.8
    assert float(found.delta.square().mean().sqrt()) <= SETTINGS.radius * 1.001


def test_what_it_does_is_counted(x):
    net = Linear(torch.full((3, 16, 16), 0.05))
    found = most_moving(net, x, SETTINGS, _stream())
    before, after = net(x), net(x + found.delta)
    assert found.divergence == pytest.approx(float(batch_kl(before, after)), rel=1e-5)
    changed = before.argmax(1) != after.argmax(1)
    for number, share in enumerate(found.moved_to):
        got = (changed & (after.argmax(1) == number)).float().mean()
        assert share == pytest.approx(float(got))


@pytest.mark.parametrize("looks", [1e-8, 1e-7, 1e-6, 1e-5])
def test_no_picture_moves_a_network_by_less_than_nothing(looks, x):
    """Whatever rounding makes of answers that hardly differ."""
    found = most_moving(Linear(torch.full((3, 16, 16), looks)), x, SETTINGS, _stream())
    assert found.divergence >= 0


def test_nothing_moves_a_network_that_does_not_look(x):
    found = most_moving(Linear(torch.zeros(3, 16, 16)), x, SETTINGS, _stream())
    assert found.divergence == 0
    assert found.moved_to == [0, 0]


def test_without_a_shuffle_it_is_the_teacher_that_is_moved(teacher, x):
    trial = [{k: torch.arange(len(v)) for k, v in m.items()}
             for m in draw_trial(teacher, 2, 3, _stream())]  # fmt: skip
    (found,) = survivors(teacher, [trial], x, SETTINGS, _stream())
    alone = most_moving(teacher, x, SETTINGS, _stream())
    # Rounding decides the sign of Adam's first steps where a gradient is nearly zero.
    assert found.divergence == pytest.approx(alone.divergence, rel=0.05)
