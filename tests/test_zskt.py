"""ZSKT against a plain re-statement of the reference's loop (method section 5.2)."""

import pytest
import torch
import torch.nn.functional as F
from bench.reference import ReferenceZskt, reference_generator

from abd.distillation import Distillation
from abd.losses import attention_map, attention_transfer
from abd.nets import build_net
from abd.nets.generators import cmi_generator, zskt_generator
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial, stability
from abd.sources.base import Guard
from tests.test_sources import SETTINGS, build_source

ZSKT = SETTINGS["zskt"]
N_CYCLES = 20


@pytest.mark.parametrize(
    ("make", "nz", "size", "n_parameters"),
    # ZSKT's without the three biases that a BatchNorm takes away: 128 + 64 + 3.
    [(zskt_generator, 100, 32, 1_051_145 - 195), (cmi_generator, 256, 32, 2_328_899)],
)
def test_generators_have_the_published_sizes(make, nz, size, n_parameters, stream):
    net = make(nz, size, stream)
    assert sum(p.numel() for p in net.parameters()) == n_parameters


@pytest.mark.parametrize("make", [zskt_generator, cmi_generator])
@pytest.mark.parametrize("size", [16, 28, 32, 64, 30, 224])
def test_generators_make_images_of_any_size(make, size, stream):
    images = make(5, size, stream)(torch.randn(2, 5, generator=stream))
    assert images.shape == (2, 3, size, size)


def test_generators_scales(stream):
    z = torch.randn(64, 9, generator=stream)
    images = zskt_generator(9, 16, stream)(z)
    assert images.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-4)
    assert images.std((0, 2, 3)).tolist() == pytest.approx([1] * 3, abs=1e-2)
    assert images.abs().max() > 2, "nothing clips to valid pixels"
    bounded = cmi_generator(9, 16, stream)(z)
    assert 0 < bounded.min() < bounded.max() < 1


def test_attention_transfer_by_hand():
    """Two channels, two places: maps (1, 4)/2 and (9, 0)/2 scaled to norm 1."""
    a = torch.tensor([[[[1.0, 2.0]], [[0.0, 0.0]]]])
    b = torch.tensor([[[[0.0, 0.0]], [[3.0, 0.0]]]])
    x, y = 1 / 17**0.5 - 1, 4 / 17**0.5
    expected = pytest.approx((x * x + y * y) / 2, rel=1e-5)
    assert attention_transfer(a, attention_map(b)).item() == expected
    assert attention_transfer(a, attention_map(a)).item() == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_attention_maps_are_the_channels_mean_squares(dtype, stream):
    """In value, gradient and memory layout; also where a sample is zero everywhere."""
    x = torch.randn(3, 5, 4, 2, generator=stream).to(dtype)
    x[1] = 0
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    target = torch.rand(3, 8, generator=stream, dtype=torch.float64)
    plain = F.normalize(x.double().square().mean(1).flatten(1))
    expected = F.mse_loss(plain, target)
    loss = attention_transfer(x, target)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-2
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance)
    ours, theirs = (torch.autograd.grad(value, x)[0] for value in (loss, expected))
    assert torch.allclose(ours, theirs, rtol=tolerance, atol=tolerance * theirs.abs().max())
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_stability_by_hand():
    """Agreement on the first and third sample only: their mean KL over K."""
    p = torch.tensor([[0.0, 1.0], [2.0, 0.0], [3.0, 0.0]], requires_grad=True)
    q = torch.tensor([[0.0, 2.0], [0.0, 1.0], [1.0, 0.0]], requires_grad=True)
    log_p, log_q = p.log_softmax(1), q.log_softmax(1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1)
    value = stability(p, q)
    assert value.item() == pytest.approx((kl[0] + kl[2]).item() / 2 / 2, rel=1e-5)
    value.backward()
    assert p.grad[1].abs().sum() == q.grad[1].abs().sum() == 0
    assert p.grad[0].abs().sum() > 0
    assert q.grad[0].abs().sum() > 0
    assert stability(p[1:2], q[1:2]).item() == 0
    by_batch = stability(p, q, "batch").item()
    assert by_batch == pytest.approx(value.item() * 2 / 3, rel=1e-5)


def _student():
    return build_net("wrn-10-1", 4, torch_stream(0, "student"))


def _double_student():
    """In double precision rounding cannot hide a difference, nor make one."""
    return _student().double()


def _noise(index):
    stream = torch_stream(0, "zskt", "noise", index)
    return torch.randn(8, ZSKT["nz"], generator=stream).double()


def _close(ours, theirs):
    for (name, a), b in zip(
        ours.state_dict().items(), theirs.state_dict().values(), strict=True
    ):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-9), name


@pytest.mark.parametrize("guarded", [False, True])
def test_cycles_are_the_references(guarded, teacher, normalize):
    """Twenty cycles: same losses, weights and statistics, though nothing is done twice."""
    teacher = teacher.double()
    vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 1, 2, torch_stream(0, "d")))
    options = {"vaccine": vaccine, "guard": Guard(alpha=0.5)} if guarded else {}
    source = build_source(
        "zskt", {"patches": [], "x_train": []}, teacher, normalize, **options
    )
    source.generator.double()
    plain_generator = reference_generator(source.generator)
    distillation = Distillation(_double_student(), source, seed=0, log_every=1)
    records = [r.values["loss"] for r in distillation.run(N_CYCLES)]
    reference = ReferenceZskt(
        teacher, _double_student(), plain_generator, noise=_noise, rounds=ZSKT["cycles"],
        student_steps=ZSKT["student_steps"], vaccine=vaccine if guarded else None, alpha=0.5,
    )  # fmt: skip
    losses = [reference.cycle(index) for index in range(N_CYCLES)]
    assert records == pytest.approx(losses, rel=1e-6)
    _close(distillation.student, reference.student)
    plain = dict(plain_generator.named_parameters())
    for name, parameter in source.generator.named_parameters():
        assert torch.allclose(parameter, plain.pop(name), rtol=1e-6, atol=1e-9), name
    assert all(name.endswith("bias") for name in plain), "BatchNorm takes these away"


def test_images_are_shown_and_counted_as_the_cache_wants_them(teacher, normalize):
    """The first are seen once and learnt from never; the second as often as there are steps."""
    source = build_source("zskt", {"patches": [], "x_train": []}, teacher, normalize)
    first, second = source.batches(0, _student())
    assert (first.repeats, first.seen) == (0, 1)
    assert (second.repeats, second.seen) == (2, 2)
    assert not torch.equal(first.x, second.x), "the generator has moved in between"


def test_the_students_statistics_see_every_image(teacher, normalize):
    source = build_source("zskt", {"patches": [], "x_train": []}, teacher, normalize)
    distillation = Distillation(_student(), source, seed=0, log_every=1)
    list(distillation.run(2))
    assert distillation.student.bn.num_batches_tracked.item() == 2 * (1 + 2)


def test_detaching_the_shuffled_teacher_is_another_gradient(teacher, normalize):
    vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 1, 1, torch_stream(0, "d")))
    made = []
    for detach in (False, True):
        options = {"vaccine": vaccine, "guard": Guard(alpha=100.0, detach=detach)}
        source = build_source(
            "zskt", {"patches": [], "x_train": []}, teacher, normalize, **options
        )
        made.append(list(source.batches(0, _student()))[1].x)
    assert not torch.allclose(*made)


def test_attention_transfer_needs_named_stages(teacher, normalize, monkeypatch):
    monkeypatch.setattr("abd.sources.zskt.tap_names", lambda net: [])
    with pytest.raises(ValueError, match="at_beta: expected 0 for a teacher without"):
        build_source("zskt", {"patches": [], "x_train": []}, teacher, normalize)
