import copy
import dataclasses

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from abd import retrospection
from abd.errors import AbdError
from abd.losses import batch_kl, mean_kl
from abd.repeated import Repeated
from abd.retrospection import (
    WORDS,
    RetrospectionSettings,
    SelfRetrospection,
    running_stats,
    tracking,
)
from abd.seeding import torch_stream

SETTINGS = RetrospectionSettings(
    portion=0.5, weight=1.0, tau=1.0, perturb="student", rounds=4, inner_lr=0.1,
    init_sigma=0.01, l2=1e-3, l2_in_synthesis=True, n_terms=3, tol=0.0, map_step=0.1,
    reduction="mean", detach=True, bn="clean",
)  # fmt: skip


@pytest.fixture
def x(stream):
    return torch.randn(16, 3, 16, 16, generator=stream)


@pytest.fixture
def make(teacher):
    def make(**changes):
        return SelfRetrospection(dataclasses.replace(SETTINGS, **changes), teacher)

    return make


def _buffers(net):
    return {k: v.clone() for k, v in net.named_buffers()}


@pytest.mark.parametrize("perturb", ["student", "teacher"])
def test_perturbation_raises_the_divergence(perturb, make, student, teacher, x):
    net = student if perturb == "student" else teacher
    delta = make(perturb=perturb, rounds=10, l2=0.0).perturbation(
        student, x, torch_stream(0, "d")
    )
    start = 0.01 * torch.randn(3, 16, 16, generator=torch_stream(0, "d"))
    assert delta.shape == (3, 16, 16)
    with torch.no_grad(), running_stats(tracking(net), recorded=False):
        assert mean_kl(net(x), net(x + delta)) > 10 * mean_kl(net(x), net(x + start))


def test_penalty_keeps_the_perturbation_small(make, student, teacher, x):
    free, tied = (
        make(rounds=20, l2=l2).perturbation(student, x, torch_stream(0, "d")).norm()
        for l2 in (0.0, 1.0)
    )
    assert tied < free / 2


def test_gradient_is_that_of_the_literal_steps(make, student, teacher, x):
    """Re-state section 7.2 plainly, by dense Jacobians, and compare."""
    sr = make(weight=2.0)
    params = list(student.parameters())
    student.train()
    ours = sr(student, x, torch_stream(0, "g"))

    stream = torch_stream(0, "g")
    with running_stats(tracking(student), recorded=False):
        delta = sr.perturbation(student, x, stream).requires_grad_()
        q = student(x).detach()
        mask = torch.zeros(16, 1, 1, 1)
        mask[torch.randperm(16, generator=stream)[:8]] = 1
        outer = mean_kl(q, student(x + delta * mask))
        g, *direct = torch.autograd.grad(outer, [delta, *params])

        def slope(delta):
            loss = 1e-3 * delta.square().sum() - mean_kl(q, student(x + delta))
            return torch.autograd.grad(loss, delta, create_graph=True)[0]

        def step_back(v):  # (dPhi/d delta)^T v = v - 0.1 H v
            (hv,) = torch.autograd.grad(slope(delta), delta, v)
            return v - 0.1 * hv

        v = g + step_back(g) + step_back(step_back(g))
        implicit = torch.autograd.grad(-0.1 * (slope(delta) * v).sum(), params)
    for mine, a, b in zip(ours, direct, implicit, strict=True):
        assert torch.allclose(mine, 2 * (a + b), atol=1e-6, rtol=1e-3)


def test_only_the_given_share_carries_the_perturbation(make, student, x):
    seen = []
    student.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    make(portion=0.25)(student, x, torch_stream(0, "g"))
    changed = [int((batch != x).flatten(1).any(1).sum()) for batch in seen]
    assert changed.count(4) == 1
    assert set(changed) == {0, 4, 16}


def test_at_least_one_sample_carries_it(make, student, teacher, x):
    seen = []
    with student.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach())):
        make(portion=0.001)(student, x, torch_stream(0, "g"))
    changed = {int((inputs != x).flatten(1).any(dim=1).sum()) for inputs in seen}
    assert changed == {0, 1, 16}


def test_clean_statistics_learn_nothing(make, student, teacher, x):
    before = _buffers(student)
    make()(student.train(), x, torch_stream(0, "g"))
    assert all(torch.equal(before[k], v) for k, v in _buffers(student).items())


@pytest.mark.parametrize(("perturb", "n_updates"), [("student", 2 * 4 + 4), ("teacher", 4)])
def test_reference_statistics_learn_from_every_forward(
    perturb, n_updates, make, student, x
):
    """x and x + delta R times (student's delta), then x, x + Delta, x, x + delta."""
    make(perturb=perturb, bn="reference")(student.train(), x, torch_stream(0, "g"))
    assert student.bn.num_batches_tracked.item() == n_updates


class Plain(Repeated):
    """Every forward as it stands."""

    def __call__(self):
        return self.net(self.x)

    @torch.no_grad()
    def again(self):
        return self()


def _step(sr, student, x):
    """One step, with a forward of distillation; the gradients, and how many forwards."""
    n_forwards = []
    count = student.register_forward_pre_hook(lambda *_: n_forwards.append(1))
    with count, sr.step(student.train(), x, torch_stream(0, "g")) as gradients:
        student(2 * x)
    return gradients, len(n_forwards) - 1


@pytest.mark.parametrize("bn", WORDS["bn"])
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("perturb", WORDS["perturb"])
def test_a_step_is_that_of_forwards_that_are_all_computed(
    perturb, detach, bn, make, student, x, monkeypatch
):
    """Of 4 rounds: x + delta in each, x once or twice, x + Delta, x + delta."""
    sr = make(perturb=perturb, detach=detach, bn=bn)
    plain = copy.deepcopy(student)
    ours, n_forwards = _step(sr, student, x)
    monkeypatch.setattr(retrospection, "Repeated", Plain)
    theirs, n_plain = _step(sr, plain, x)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    tolerance = {} if bn == "reference" else {"rtol": 0, "atol": 0}
    for a, b in zip(student.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(a, b, **tolerance)
    rounds = 4 if perturb == "student" else 0
    assert n_forwards == 3 + rounds + (perturb == "student" and not detach)
    if bn == "reference":
        assert n_plain == 2 * rounds + 6


@pytest.mark.parametrize("bn", WORDS["bn"])
def test_a_student_that_draws_draws_as_in_forwards_that_are_all_computed(
    bn, make, student, x, monkeypatch
):
    sr = make(bn=bn)
    drawing = torch.nn.Sequential(torch.nn.Dropout(0.3), student)
    plain = copy.deepcopy(drawing)
    torch.manual_seed(0)
    ours, n_forwards = _step(sr, drawing, x)
    assert n_forwards == {"reference": 2 * 4 + 6, "outer": 4 + 4, "clean": 4 + 4}[bn]
    monkeypatch.setattr(retrospection, "Repeated", Plain)
    torch.manual_seed(0)
    theirs, _ = _step(sr, plain, x)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("drawing", [False, True])
def test_all_of_a_step_is_in_float32_under_autocast(drawing, make, student, x):
    """Also where every forward is passed, for the student draws in it."""
    sr = make(bn="reference")
    if drawing:
        student = torch.nn.Sequential(torch.nn.Dropout(0.3), student)
    plain = copy.deepcopy(student.train())
    torch.manual_seed(0)
    low = torch.autocast("cpu", torch.bfloat16)
    with low, sr.step(student, x, torch_stream(0, "g")) as ours:
        pass
    torch.manual_seed(0)
    with sr.step(plain, x, torch_stream(0, "g")) as theirs:
        pass
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert all(map(torch.equal, student.buffers(), plain.buffers()))


@pytest.mark.parametrize("bn", WORDS["bn"])
def test_a_layer_that_records_no_statistics_keeps_still(bn, make, student, x):
    student.train().bn.track_running_stats = False
    before = _buffers(student.bn)
    make(bn=bn)(student, x, torch_stream(0, "g"))
    assert all(torch.equal(v, before[k]) for k, v in student.bn.named_buffers())
    assert not student.bn.track_running_stats


def test_a_layer_that_cannot_be_differentiated_twice_is_said_in_one_line(make, student, x):
    """Here attention that insists on a fused kernel."""

    def attended(_, args):
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return torch.nn.functional.scaled_dot_product_attention(*3 * args)

    student.train().register_forward_pre_hook(attended)
    with pytest.raises(AbdError, match=r"differentiated twice, got .*attention") as error:
        make()(student, x, torch_stream(0, "g"))
    assert "\n" not in str(error.value)


class Once(torch.autograd.Function):
    """A custom function as most are: its second derivative is none of torch's."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * gradient


def test_a_layer_that_is_marked_once_differentiable_is_refused(make, student, x):
    """Torch would take a part of the hypergradient for zero without a word."""
    student.train().register_forward_hook(lambda *given: Once.apply(given[-1]))
    with pytest.raises(AbdError, match="got one that is marked once_differentiable"):
        make()(student, x, torch_stream(0, "g"))


@pytest.mark.parametrize("kind", [torch.nn.BatchNorm1d, torch.nn.BatchNorm2d])
def test_every_kind_of_batch_norm_is_kept_still(kind, x):
    flat = torch.nn.Flatten() if kind is torch.nn.BatchNorm1d else torch.nn.Identity()
    layer = kind(768 if kind is torch.nn.BatchNorm1d else 3)
    net = torch.nn.Sequential(flat, layer).train()
    with running_stats(tracking(net), recorded=False):
        net(x)
    assert layer.num_batches_tracked.item() == 0
    net(x)
    assert layer.num_batches_tracked.item() == 1


def test_outer_statistics_learn_from_the_outer_forward(make, student, x):
    make(bn="outer")(student.train(), x, torch_stream(0, "g"))
    assert student.bn.num_batches_tracked.item() == 1


def test_recording_statistics_changes_no_gradient(make, student, teacher, x):
    student.train()
    by_policy = [
        make(bn=bn)(copy.deepcopy(student), x, torch_stream(0, "g"))
        for bn in ("clean", "outer", "reference")
    ]
    for a, b, c in zip(*by_policy, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


def test_nothing_else_changes(make, student, teacher, x):
    weights = copy.deepcopy(student.state_dict())
    make()(student.train(), x, torch_stream(0, "g"))
    assert all(torch.equal(weights[k], v) for k, v in student.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in student.parameters())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_batch_reduction_is_the_programs_scale(make, student, teacher, x):
    sr = make(reduction="batch", tau=4.0)
    with torch.no_grad():
        p, q = teacher(x), teacher(x + 0.1)
    assert torch.allclose(sr._divergence(p, q), 16 * batch_kl(p, q, 4.0))
    assert torch.allclose(make(tau=4.0)._divergence(p, q), mean_kl(p, q, 4.0))


def test_same_stream_same_gradient(make, student, teacher, x):
    student.train()
    a, b = (make()(student, x, torch_stream(0, "g")) for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
