import numpy as np
import pytest
import torch
from torch import nn

from abd.adversarial import Attack, harden
from abd.metrics import predict
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import to_pixels
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.training import Training


class Brightness(nn.Module):
    """Class 1 the brighter the image: the gradient's sign is known."""

    def forward(self, x):
        bright = x.mean(dim=(1, 2, 3))
        return torch.stack([-bright, bright], dim=1)


@pytest.fixture
def pixels(images):
    return to_pixels(images)


def test_goes_against_the_true_label_as_far_as_it_may(pixels, normalize, stream):
    """On a linear network every pixel ends at the border of what is allowed."""
    labels = torch.arange(12) % 2
    x = Attack(16, 2, 20, normalize)(Brightness(), pixels, labels, stream)
    away = 16 * (1 - 2 * labels.float())[:, None, None, None]
    assert torch.equal(x, (pixels.float() + away).clamp(0, 255))


def test_starts_anywhere_within_eps(pixels, normalize):
    attack = Attack(16, 2, 0, normalize)
    starts = [
        attack(Brightness(), pixels, torch.zeros(12).long(), torch_stream(s))
        for s in (0, 1)
    ]
    assert not torch.equal(*starts)
    for x in starts:
        delta = x - pixels
        assert delta.abs().max() <= 16
        inside = (pixels >= 16) & (pixels <= 239)
        assert delta[inside].mean().abs() < 1
        assert delta[inside].std() == pytest.approx(16 / 3**0.5, rel=0.05)


def test_moves_by_single_steps(pixels, normalize):
    labels = torch.zeros(12).long()
    start, end = (
        Attack(16, 2, n, normalize)(Brightness(), pixels, labels, torch_stream(0))
        for n in (0, 1)
    )
    low, high = (pixels.float() - 16).clamp(min=0), (pixels.float() + 16).clamp(max=255)
    assert torch.equal(end, (start + 2).clamp(low, high))


def test_leaves_the_network_as_it_was(pixels, normalize, student, stream):
    student.train()
    before = {k: v.clone() for k, v in student.state_dict().items()}
    Attack(8, 2, 2, normalize)(student, pixels, torch.zeros(12).long(), stream)
    assert student.training
    assert all(p.grad is None for p in student.parameters())
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())


def test_hard_images_are_uint8_and_within_eps(pixels, normalize, teacher):
    labels = predict(teacher, pixels, normalize)
    attack = Attack(16, 2, 20, normalize)
    hard = harden(teacher, pixels, labels, attack, seed=0)
    assert hard.dtype == torch.uint8
    assert (hard.int() - pixels.int()).abs().max() <= 16
    assert torch.equal(hard, harden(teacher, pixels, labels, attack, seed=0))
    assert (predict(teacher, hard, normalize) != labels).float().mean() > 0.5


def _two_classes(rng):
    """Told apart by 12 grey levels everywhere, or by 200 in a corner."""
    labels = rng.integers(0, 2, 128)
    images = rng.integers(90, 150, (128, 16, 16, 3))
    images += 12 * labels[:, None, None, None]
    images[:, :3, :3] = 20 + 200 * labels[:, None, None, None]
    return images.astype(np.uint8), torch.from_numpy(labels)


def test_a_network_trained_on_attacks_withstands_them(rng, normalize):
    """A normal one of the same size does not; its training is otherwise the same."""
    images, labels = _two_classes(rng)
    attack = Attack(16, 4, 5, normalize)
    withstands = {}
    for name, craft in (("normal", None), ("robust", attack)):
        net = build_net("wrn-10-1", 2, torch_stream(0, "net"))
        training = Training(
            net, to_pixels(images), labels, normalize,
            OptimizerSpec("sgd", cosine(0.05, 6), 0.9, 5e-4), seed=0, batch=32, crop_pad=0,
            hflip=False, judge=lambda net: {}, select_best=False, craft=craft,
        )  # fmt: skip
        list(training.run(6))
        hard = harden(net, to_pixels(images), labels, attack, seed=1)
        withstands[name] = (predict(net, hard, normalize) == labels).float().mean().item()
    assert withstands["robust"] > 0.9
    assert withstands["normal"] < withstands["robust"] - 0.3
