from itertools import islice

import numpy as np
import pytest
import torch

from abd.errors import AbdError
from abd.metrics import EvalSet, evaluate
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import to_pixels
from abd.schedules import constant, cosine, steps
from abd.seeding import torch_stream
from abd.training import Training


@pytest.fixture
def make(normalize, rng):
    """Two classes told apart by brightness."""
    labels = rng.integers(0, 2, 64)
    images = (
        rng.integers(0, 100, (64, 16, 16, 3)) + 150 * labels[:, None, None, None]
    ).astype(np.uint8)

    def make(clip_norm=None, **options):
        net = build_net("wrn-10-1", 2, torch_stream(0, "net"))
        judge = lambda net: {"acc": evaluate(net, test).acc}  # noqa: E731
        settings = {
            "seed": 0,
            "batch": 16,
            "crop_pad": 2,
            "hflip": True,
            "judge": judge,
            "select_best": True,
        }
        return Training(
            net, to_pixels(images), torch.from_numpy(labels), normalize,
            OptimizerSpec("sgd", cosine(0.1, 4), 0.9, 0.0 if clip_norm else 5e-4, clip_norm),
            **{**settings, **options},
        )  # fmt: skip

    test = EvalSet(
        to_pixels(images), torch.from_numpy(labels), to_pixels(images[:1]), 0, normalize
    )
    return make


def records_of(training, stop):
    return [record for record in training.run(stop) if record]


def test_learns(make):
    records = records_of(make(), 4)
    assert [r.step for r in records] == [1, 2, 3, 4]
    assert records[-1].values["acc"] > 0.9


@pytest.mark.parametrize("n_steps", [1, 4, 5, 13])
def test_going_on_gives_the_same_bits(n_steps, make):
    """From the middle of an epoch, from its last batch before it is judged, from its end."""
    unbroken, first, second = make(), make(), make()
    records = records_of(unbroken, 4)
    before = list(islice(first.run(4), n_steps))
    second.load(first.state())
    assert [r for r in before if r] + records_of(second, 4) == records
    a, b = unbroken.state().tensors, second.state().tensors
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_of_equally_accurate_epochs_that_of_the_stronger_backdoor_is_kept(make):
    """The backdoor may come after the accuracy has reached its height."""
    figures = iter([(0.9, 0.5), (0.9, 0.8), (0.9, 0.7), (0.8, 1.0)])
    kept = []

    def judge(net):
        kept.append({k: v.clone() for k, v in net.state_dict().items()})
        return dict(zip(("acc", "asr"), next(figures), strict=True))

    training = make(judge=judge)
    list(training.run(4))
    assert all(torch.equal(v, kept[1][k]) for k, v in training.best_net.items())


def test_keeps_the_best_epoch(make):
    merits = iter([0.2, 0.9, 0.5, 0.9])
    training = make(judge=lambda net: {"acc": next(merits)})
    kept = []
    for record in training.run(4):
        if record:
            kept.append({k: v.clone() for k, v in training.net.state_dict().items()})
    assert all(torch.equal(v, kept[1][k]) for k, v in training.best_net.items())


def test_or_the_last(make):
    merits = iter([0.2, 0.9, 0.5])
    training = make(judge=lambda net: {"acc": next(merits)}, select_best=False)
    list(training.run(3))
    last = training.net.state_dict()
    assert all(torch.equal(v, last[k]) for k, v in training.best_net.items())


def test_gradients_are_clipped_as_the_optimizer_says(make):
    training = make(clip_norm=1e-6)
    before = [p.detach().clone() for p in training.net.parameters()]
    next(training.run(1))
    moved = [(p - q).norm() for p, q in zip(training.net.parameters(), before, strict=True)]
    assert 0 < torch.stack(moved).norm() <= 0.11 * 1e-6  # a step of 0.1


def test_a_loss_that_is_not_finite_stops(make):
    training = make()
    with torch.no_grad():
        training.net.linear.bias.fill_(float("inf"))
    with pytest.raises(AbdError, match="finite loss"):
        list(training.run(1))


def test_schedules():
    assert [constant(0.3)(i) for i in (0, 9)] == [0.3, 0.3]
    assert [cosine(2.0, 4)(i) for i in (0, 2, 4)] == pytest.approx([2.0, 1.0, 0.0])
    assert [steps(1.0, [2, 4], 0.5)(i) for i in range(5)] == [1, 1, 0.5, 0.5, 0.25]


def test_unknown_optimizers_are_refused():
    with pytest.raises(ValueError, match="expected adam or sgd, got 'lion'"):
        OptimizerSpec("lion", constant(1.0)).build([torch.zeros(1, requires_grad=True)])
