"""CMI's loss terms by hand, its pool and its bank (method section 5.3)."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from abd.augment import random_resized_crop
from abd.bn_inputs import bn_divergence, bn_features, bn_inputs, bn_layers
from abd.contrast import Bank, Head, contrastive_loss
from abd.nets import build_net
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial, stability
from abd.sources.base import Guard
from abd.sources.synthesis import Recipe, Synthesis, adversarial_loss
from tests.test_sources import SETTINGS, build_source

EMPTY = {"patches": [], "x_train": []}
RECIPE = Recipe(**SETTINGS["cmi"]["synthesis"])


@pytest.fixture
def make(teacher, normalize):
    return lambda **options: build_source("cmi", EMPTY, teacher, normalize, **options)


def test_bn_divergence_by_hand():
    """One layer, one channel: batch 1, 3 has mean 2 and biased variance 1."""
    layer = nn.BatchNorm2d(1).eval()
    layer.running_mean.fill_(5.0)
    layer.running_var.fill_(3.0)
    x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    assert bn_divergence([layer], [x]).item() == pytest.approx(3 + 2)


def test_bn_inputs_are_what_the_layers_get(teacher, stream):
    x = torch.randn(4, 3, 16, 16, generator=stream)
    with bn_inputs(bn_layers(teacher)) as seen:
        teacher(x)
    with torch.no_grad():
        assert torch.equal(seen[0], teacher.conv(x))
    assert [s.shape[1] for s in seen] == [
        layer.num_features for layer in bn_layers(teacher)
    ]
    assert torch.equal(bn_features(seen), torch.cat([s.mean((2, 3)) for s in seen], 1))
    assert not any(m._forward_pre_hooks for m in teacher.modules())


class WithAHeadForTraining(nn.Module):
    """A BatchNorm layer that no forward in eval mode passes."""

    def __init__(self, net):
        super().__init__()
        self.auxiliary = nn.BatchNorm2d(5)
        self.net = net

    def forward(self, x):
        return self.net(x)


def test_layers_that_no_image_passes_have_no_statistics_to_match(teacher, normalize):
    """They count among no features, and a round of synthesis goes without them."""
    headed = WithAHeadForTraining(teacher).eval().requires_grad_(False)
    ours, plain = (build_source("cmi", EMPTY, net, normalize) for net in (headed, teacher))
    assert ours.layers == bn_layers(teacher)
    student = build_net("wrn-10-1", 4, torch_stream(0, "student"))
    (batch,), (other,) = (list(source.batches(0, student)) for source in (ours, plain))
    assert torch.equal(batch.x, other.x)


def test_the_published_number_of_features():
    layers = bn_layers(build_net("wrn-16-2", 10))
    assert sum(layer.num_features for layer in layers) == 912


def test_adversarial_loss_by_hand():
    """Only the first sample is predicted alike: minus half its KL."""
    t = torch.tensor([[math.log(3.0), 0.0], [1.0, 0.0]])
    s = torch.tensor([[0.1, 0.0], [0.0, 1.0]])
    log_p, log_q = t.log_softmax(1), s.log_softmax(1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1)
    assert adversarial_loss(t, s).item() == pytest.approx(-kl[0].item() / 2, rel=1e-5)


def test_contrastive_loss_by_hand():
    """A head that only normalises: cosines over the temperature, the diagonal is right."""
    views = torch.tensor([[[1.0, 0.0], [1.0, 1.0]], [[0.0, 2.0], [0.0, 1.0]]])
    cached = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    r = 0.5**0.5
    logits = torch.tensor([[r, 0.0, -1.0], [r, 1.0, 0.0], [r, 0.0, -1.0]]) / 0.5
    rows = F.cross_entropy(logits, torch.arange(3), reduction="none")
    loss = contrastive_loss(F.normalize, views, cached, 0.5)
    assert loss.item() == pytest.approx((rows[:2].mean() + rows[2]).item(), rel=1e-5)
    alone = contrastive_loss(F.normalize, views, cached[:0], 0.5)
    expected = F.cross_entropy(logits[:2, :2], torch.arange(2))
    assert alone.item() == pytest.approx(expected.item(), rel=1e-5)


def test_nothing_flows_through_the_global_views(stream):
    views = torch.randn(3, 2, 5, generator=stream, requires_grad=True)
    contrastive_loss(Head(5, 4, stream), views, torch.zeros(0, 2, 5), 0.1).backward()
    assert views.grad[:, 0].abs().sum() > 0
    assert views.grad[:, 1].abs().sum() == 0


def test_the_head_projects_to_the_sphere(stream):
    head = Head(912, 256, stream)
    out = head(torch.randn(7, 912, generator=stream))
    assert out.shape == (7, 256)
    assert out.norm(dim=1).tolist() == pytest.approx([1] * 7, rel=1e-5)
    shapes = [tuple(p.shape) for p in head.parameters()]
    assert shapes == [(912, 912), (912,), (256, 912), (256,)]


def test_the_bank_replaces_the_oldest(stream):
    bank = Bank(5, 1, torch.device("cpu"))
    assert bank.draw(3, stream).shape == (0, 2, 1)
    for i in range(0, 14, 2):
        bank.add(torch.tensor([[[float(i)]] * 2, [[float(i + 1)]] * 2]))
    assert sorted(bank.pairs[:, 0, 0].tolist()) == [9, 10, 11, 12, 13]
    drawn = bank.draw(3, stream)
    assert len(set(drawn[:, 0, 0].tolist())) == 3


def test_a_crop_of_the_whole_is_the_image(stream):
    images = torch.rand(3, 3, 9, 9, generator=stream)
    cropped = random_resized_crop(images, stream, (1.0, 1.0), (1.0, 1.0))
    assert torch.allclose(cropped, images, atol=1e-5)


def test_crops_are_those_of_grid_sampling():
    """The plain twin: torch's bilinear sampling of the same boxes."""
    images = torch.rand(4, 2, 12, 12, generator=torch_stream(0, "images"))
    ours = random_resized_crop(images, torch_stream(0, "crop"), (0.25, 1.0), (3 / 4, 4 / 3))
    draws = torch.rand(4, 4, generator=torch_stream(0, "crop"))
    area = 0.25 + 0.75 * draws[0]
    low, high = math.log(3 / 4), math.log(4 / 3)
    aspect = (low + (high - low) * draws[1]).exp()
    tall, wide = (area / aspect).sqrt().clamp(max=1), (area * aspect).sqrt().clamp(max=1)
    theta = torch.zeros(4, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = wide, tall
    theta[:, 0, 2] = (1 - wide) * (2 * draws[3] - 1)
    theta[:, 1, 2] = (1 - tall) * (2 * draws[2] - 1)
    grid = F.affine_grid(theta, [4, 2, 12, 12], align_corners=False)
    plain = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(ours, plain, atol=1e-5)


@pytest.mark.parametrize("guarded", [False, True])
def test_the_total_loss_is_the_sum_of_its_terms(guarded, make, teacher, student):
    vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 3, 2, torch_stream(0, "d")))
    options = {"vaccine": vaccine, "guard": Guard(alpha=2.0)} if guarded else {}
    source = make(**options)
    source.bank.add(
        torch.randn(5, 2, source.head.hidden.in_features, generator=torch_stream(0, "b"))
    )
    synthesis = Synthesis(source.context, RECIPE, source.layers, source.head, epoch=0)
    student.eval()
    x, y = (torch.randn(8, 3, 16, 16, generator=torch_stream(i, "v")) for i in range(2))
    total, logits, views = synthesis._loss(student, x, y, source.bank, torch_stream(0, "n"))
    with torch.no_grad():
        features = []
        for view in (y, x):
            with bn_inputs(bn_layers(teacher)) as seen:
                t = teacher(view)
            features.append(bn_features(seen))
        plain_views = torch.stack(features, 1)
        cached = source.bank.draw(6, torch_stream(0, "n"))
        expected = (
            1.0 * bn_divergence(bn_layers(teacher), seen)
            + 1.0 * F.cross_entropy(t, synthesis.targets)
            + 0.5 * adversarial_loss(t, student(x))
            + 0.8 * contrastive_loss(source.head, plain_views, cached, 0.1)
        )
        if guarded:
            expected = expected - 2.0 * stability(*vaccine(x))
    assert torch.allclose(logits, t, atol=1e-5)
    assert torch.allclose(views, plain_views, atol=1e-5)
    assert total.item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_best_step_is_kept(make, student, monkeypatch):
    source = make()
    synthesis = Synthesis(source.context, RECIPE, source.layers, source.head, epoch=0)
    losses, loss = iter([3.0, 1.0, 2.0]), synthesis._loss
    made = []

    def worse_or_better(*args):
        total, logits, views = loss(*args)
        made.append(views.detach().clone())
        return total * 0 + next(losses), logits, views

    monkeypatch.setattr(synthesis, "_loss", worse_or_better)
    for _ in range(3):
        synthesis.step(student, source.bank, source._head_optimizer)
    assert synthesis.lowest == 1.0
    assert torch.equal(synthesis.best_features, made[1])
    assert synthesis.best_pixels.dtype == torch.uint8
    assert synthesis.targets.tolist() == sorted(synthesis.targets.tolist())


def test_an_epoch_is_a_synthesis_and_then_draws_from_the_whole_pool(make, student):
    source = make()
    for i in range(3):
        assert len(source.pixels) == 0
        (view,) = source.batches(i, student)
        assert (view.repeats, view.seen) == (0, 1)
    assert len(source.pixels) == len(source.bank.pairs) == 8
    for i in range(3, 6):
        (batch,) = source.batches(i, student)
        assert (batch.repeats, batch.seen, len(batch.x)) == (1, 0, 8)
    for i in range(6, 9):
        list(source.batches(i, student))
    assert len(source.pixels) == 16
    assert len(source.bank.pairs) == 12, "its capacity"


def test_draws_pass_over_the_pool(make, student):
    """Every image of the pool is drawn once before any is drawn again."""
    source = make()
    for i in (0, 1, 2, 6, 7, 8):
        list(source.batches(i, student))
    source.crop_pad, source.hflip = 0, False
    pixels = torch.cat([next(source.batches(i, student)).pixels for i in (9, 10)])
    assert sorted(map(_key, pixels)) == sorted(map(_key, source.pixels))


def _key(image):
    return image.numpy().tobytes()


def test_kd_loss_by_hand(make):
    """400 batch-KL at temperature 20."""
    source = make()
    batch = next(source.batches(0, build_net("wrn-10-1", 4, torch_stream(0, "s"))))
    logits = torch.zeros(len(batch.x), 4)
    log_p = (batch.teacher_logits / 20).log_softmax(1)
    kl = (log_p.exp() * (log_p - math.log(0.25))).sum(1).mean()
    assert source.loss(lambda x: logits, batch).item() == pytest.approx(
        400 * kl.item(), rel=1e-3
    )


def test_learning_rate_falls_by_epoch(make):
    lr = make().optimizer.lr
    assert [lr(i) for i in range(12)] == pytest.approx([0.1] * 6 + [0.05] * 6)


def test_the_synthesis_lowers_its_loss(make, student, teacher):
    source = make()
    recipe = Recipe(**{**SETTINGS["cmi"]["synthesis"], "lr": 0.01, "steps": 25})
    synthesis = Synthesis(source.context, recipe, source.layers, source.head, epoch=0)
    synthesis.step(student, source.bank, source._head_optimizer)
    first = synthesis.lowest
    for _ in range(24):
        synthesis.step(student, source.bank, source._head_optimizer)
    assert synthesis.lowest < first
