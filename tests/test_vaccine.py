import math

import pytest
import torch
from torch.func import functional_call

from abd.nets import build_net
from abd.nets.parts import shufflable_convs
from abd.seeding import torch_stream
from abd.shuffling import (
    ShuffledTeacher,
    agreement,
    draw_permutations,
    draw_trial,
    sample_weights,
)
from abd.vaccine import first_accepted, score, score_tail, score_trials


@pytest.fixture
def x(stream):
    return torch.randn(6, 3, 16, 16, generator=stream)


def _reference(teacher, members, x):
    """The plain twin: whole copies of the teacher, one after the other."""
    outputs = []
    for member in members:
        weights = dict(teacher.state_dict())
        for name, order in member.items():
            weights[name] = weights[name][:, order]
        outputs.append(functional_call(teacher, weights, (x,)))
    return torch.stack(outputs).mean(0)


@pytest.mark.parametrize(
    ("name", "n_conv"), [("wrn-16-2", 5), ("wrn-16-1", 3), ("wrn-10-1", 9)]
)
def test_shared_trunk_gives_what_whole_copies_give(name, n_conv, x):
    net = build_net(name, 10, torch_stream(1, "t")).eval()
    members = draw_trial(net, n_conv, 3, torch_stream(1, "draw"))
    logits, shuffled = ShuffledTeacher(net, members)(x)
    assert torch.allclose(logits, net(x), atol=1e-6)
    assert torch.allclose(shuffled, _reference(net, members, x), atol=1e-5)
    assert not torch.allclose(shuffled, logits, atol=1e-3)


def test_trunk_ends_where_the_last_stage_begins():
    net = build_net("wrn-16-2", 10)
    assert ShuffledTeacher(net, draw_trial(net, 5, 1, torch_stream(0, "d"))).n_shared == 5


def test_the_teacher_is_not_changed(teacher, x):
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    ShuffledTeacher(teacher, draw_trial(teacher, 5, 3, torch_stream(0, "d")))(x)
    assert all(torch.equal(before[k], v) for k, v in teacher.state_dict().items())


def test_identity_permutations_change_nothing(teacher, x):
    members = [
        {name: torch.arange(len(order)) for name, order in member.items()}
        for member in draw_trial(teacher, 5, 2, torch_stream(0, "d"))
    ]
    logits, shuffled = ShuffledTeacher(teacher, members)(x)
    assert torch.allclose(logits, shuffled, atol=1e-6)


def test_permutations_are_of_input_channels_and_independent():
    net = build_net("wrn-16-2", 10)
    drawn = draw_permutations(net, 5, torch_stream(0, "d"))
    assert list(drawn) == shufflable_convs(net)[-5:]
    for name, order in drawn.items():
        n_in = dict(net.named_parameters())[name].shape[1]
        assert sorted(order.tolist()) == list(range(n_in))
    assert not torch.equal(
        drawn["blocks.4.conv1.weight"], drawn["blocks.4.shortcut.weight"]
    )


@pytest.mark.parametrize("n_conv", [0, 17])
def test_impossible_counts_are_refused(n_conv):
    with pytest.raises(ValueError, match="expected 1 to 16"):
        draw_permutations(build_net("wrn-16-2", 10), n_conv, torch_stream(0, "d"))


def test_score_by_hand():
    """T uniform over two classes, T~ = (3/4, 1/4): log10((log 2 - (log 3)/2)/2)."""
    teacher, shuffled = torch.zeros(1, 2), torch.tensor([[math.log(3.0), 0.0]])
    expected = math.log10((math.log(2) - math.log(3) / 2) / 2)
    assert score(teacher, shuffled).item() == pytest.approx(expected)
    reverse = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert score(teacher, shuffled, "shuffled").item() == pytest.approx(
        math.log10(reverse / 2)
    )


def test_score_of_equal_outputs_is_finite():
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    assert score(logits, logits).item() == pytest.approx(math.log10(1e-12 / 3))


def test_tail_by_hand():
    """19 zeros and one -1: mean -1/20, variance 19/400, so the cut is -0.7039."""
    scores = torch.tensor([0.0] * 19 + [-1.0])
    tail = score_tail(scores, torch.ones(20))
    assert tail.mean == pytest.approx(-0.05)
    assert tail.std == pytest.approx(math.sqrt(19) / 20)
    assert tail.cut == pytest.approx(-0.05 - 3 * math.sqrt(19) / 20)
    assert tail.ratio == pytest.approx(0.05)


def test_weights_count_like_repetitions(rng):
    scores = torch.from_numpy(rng.normal(size=30))
    scores[0] = -9
    weights = torch.from_numpy(rng.integers(1, 5, 30))
    repeated = scores.repeat_interleave(weights)
    tail, plain = (
        score_tail(scores, weights),
        score_tail(repeated, torch.ones(len(repeated))),
    )
    for name in ("mean", "std", "cut", "ratio"):
        assert getattr(tail, name) == pytest.approx(getattr(plain, name))


def test_normal_scores_have_no_tail(stream):
    scores = torch.randn(20_000, generator=stream)
    assert score_tail(scores, torch.ones(20_000)).ratio == pytest.approx(0.00135, abs=0.001)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        score_tail(torch.tensor([0.0, math.nan]), torch.ones(2))


def test_search_scores_are_those_of_each_trial_alone(teacher, x):
    trials = [draw_trial(teacher, 5, 2, torch_stream(0, "d", i)) for i in range(3)]
    together = score_trials(teacher, trials, x.split(4))
    assert together.shape == (3, 6)
    for row, members in zip(together, trials, strict=True):
        assert torch.allclose(
            row, score(teacher(x), _reference(teacher, members, x)), atol=1e-4
        )


def test_search_runs_the_trunk_once(teacher, x, monkeypatch):
    seen = []
    trunk = type(teacher).forward_trunk
    monkeypatch.setattr(
        type(teacher),
        "forward_trunk",
        lambda self, h, first: seen.append(len(h)) or trunk(self, h, first),
    )
    trials = [draw_trial(teacher, 5, 3, torch_stream(0, "d", i)) for i in range(4)]
    score_trials(teacher, trials, x.split(4))
    assert seen == [4, 2]


def test_the_first_trial_above_the_threshold_is_taken():
    tails = [
        score_tail(torch.tensor([0.0] * 99 + [-v]), torch.ones(100)) for v in (0, 1, 1)
    ]
    assert [t.ratio for t in tails] == pytest.approx([0, 0.01, 0.01])
    assert first_accepted(tails, 0.009) == 1
    assert first_accepted(tails, 0.01) is None, "the threshold itself is not enough"


def test_agreement_and_weights():
    teacher = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0]])
    shuffled = torch.tensor([[0.5, 0.1], [0.1, 0.5], [0.0, 9.0]])
    suspicious = agreement(teacher, shuffled)
    assert suspicious.tolist() == [True, False, True]
    assert sample_weights(suspicious, 0.1).tolist() == pytest.approx([0.1, 1, 0.1])


@pytest.mark.parametrize(
    ("name", "n"), [("wrn-16-2", 5), ("wrn-40-2", 13), ("resnet-18", 4), ("resnet-34", 6)]
)
def test_the_last_stage_may_be_shuffled_whole(name, n, stream):
    net = build_net(name, 10)
    drawn = draw_permutations(net, "last_stage", stream)
    assert list(drawn) == shufflable_convs(net)[-n:]


def test_a_network_without_stages_wants_a_number(stream):
    with pytest.raises(ValueError, match="n_conv: expected a number for a network without"):
        draw_permutations(torch.nn.Conv2d(3, 4, 3), "last_stage", stream)
