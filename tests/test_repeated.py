import copy

import pytest
import torch
from torch import nn

from abd.repeated import Repeated
from abd.retrospection import running_stats, tracking
from tests.layers import doubled

N_AGAIN = 4


class Twice(nn.Module):
    """A network that passes one BatchNorm layer twice in a forward."""

    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(3, momentum=0.3)

    def forward(self, x):
        return self.bn(3 * self.bn(x).relu() + 1).flatten(1)


def convolutions(norm):
    return nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.ReLU(), nn.Flatten(), nn.Dropout(0.0))


NETS = {
    "plain": lambda: convolutions(nn.BatchNorm2d(8)),
    "average": lambda: convolutions(nn.BatchNorm2d(8, momentum=None)),
    "still": lambda: convolutions(nn.BatchNorm2d(8, momentum=0.0)),
    "untracked": lambda: convolutions(nn.BatchNorm2d(8, track_running_stats=False)),
    "flat": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(300, affine=False)),
    "twice": Twice,
}


@pytest.fixture
def x(stream):
    return torch.randn(12, 3, 10, 10, generator=stream) + 0.5


@pytest.fixture(params=NETS)
def net(request):
    torch.manual_seed(0)
    return NETS[request.param]()


def count_forwards(net):
    seen = []
    net.register_forward_pre_hook(lambda *_: seen.append(1))
    return seen


def assert_same_buffers(net, plain, **tolerance):
    for (name, a), b in zip(net.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(
            a, b, msg=lambda m, name=name: f"{name}: {m}", **tolerance
        )


def test_replayed_statistics_are_those_of_plain_forwards(net, x):
    """Other forwards between them, as self-retrospection makes them."""
    plain = copy.deepcopy(net)
    seen = count_forwards(net)
    repeated = Repeated(net, x)
    for i in range(N_AGAIN):
        assert torch.equal(repeated.again(), plain(x))
        net(x - i)
        plain(x - i)
    assert len(seen) == 1 + N_AGAIN
    assert_same_buffers(net, plain)


def test_the_first_forward_is_an_ordinary_one(net, x):
    plain = copy.deepcopy(net)
    ours = Repeated(net, x)()
    assert torch.equal(ours, plain(x))
    assert_same_buffers(net, plain, rtol=0, atol=0)
    assert all("forward" not in vars(m) for m in net.modules())


def test_gradients_of_the_first_are_unmoved_by_repetitions(net, x):
    x.requires_grad_()
    plain = copy.deepcopy(net)
    repeated = Repeated(net, x)
    first = repeated()
    assert not repeated.again().requires_grad
    (ours,) = torch.autograd.grad(first.square().sum(), x)
    (theirs,) = torch.autograd.grad(plain(x).square().sum(), x)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("mode", ["eval", "unrecorded"])
def test_statistics_that_do_not_move_are_not_moved(mode, x):
    net = NETS["plain"]().train(mode != "eval")
    before = copy.deepcopy(net)
    seen = count_forwards(net)
    with running_stats(tracking(net), recorded=False):
        repeated = Repeated(net, x)
        assert torch.equal(repeated.again(), repeated.again())
    assert len(seen) == 1
    assert_same_buffers(net, before, rtol=0, atol=0)


class Remembering(nn.Module):
    """Keeps a statistic of its own, as BatchNorm of a user's would."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen.lerp_(x.detach().mean(), 0.1)
        return x - self.seen


class Replacing(Remembering):
    """Puts a new buffer in the place of the old, twice: the second may get its address."""

    def forward(self, x):
        for _ in range(2):
            self.seen = self.seen + x.detach().mean()
        return x - self.seen


class Functional(nn.Module):
    """BatchNorm without its module: torch's kernel marks no buffer as written to."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("var", torch.ones(3))

    def forward(self, x):
        return nn.functional.batch_norm(x, self.mean, self.var, training=True)


class Split(nn.BatchNorm2d):
    """Halves of the batch normalised apart, as MoCo does it; counts no batches."""

    def forward(self, x):
        n = x.shape[1]
        both = torch.cat(x.chunk(2), dim=1)
        mean, var = self.running_mean.repeat(2), self.running_var.repeat(2)
        y = nn.functional.batch_norm(both, mean, var, training=True)
        self.running_mean.data.copy_(mean.view(2, n).mean(0))
        self.running_var.data.copy_(var.view(2, n).mean(0))
        return torch.cat(y.chunk(2, dim=1))


OTHERS = {
    "dropout": lambda: nn.Dropout(0.5),
    "instance norm": lambda: nn.InstanceNorm2d(3, track_running_stats=True),
    "a buffer written to": Remembering,
    "a buffer replaced": Replacing,
    "batch norm as a function": Functional,
    "a kind of BatchNorm of its own": lambda: Split(3),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_different_each_time_is_computed_each_time(kind, x):
    torch.manual_seed(0)
    net = nn.Sequential(OTHERS[kind](), nn.BatchNorm2d(3))
    plain = copy.deepcopy(net)
    seen = count_forwards(net)
    repeated = Repeated(net, x)
    torch.manual_seed(1)
    ours = [repeated.again() for _ in range(3)]
    torch.manual_seed(1)
    theirs = [plain(x) for _ in range(3)]
    assert len(seen) == 3
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert_same_buffers(net, plain)


def test_a_layer_with_a_forward_of_its_own_keeps_it(x):
    layer = doubled(nn.BatchNorm2d(3))
    repeated, expected = Repeated(layer, x), layer(x)
    own = vars(layer)["forward"]
    assert torch.equal(repeated.again(), expected)
    assert torch.equal(repeated.again(), expected)
    assert vars(layer)["forward"] is own
    assert layer.num_batches_tracked.item() == 3


def test_a_forward_that_fails_leaves_the_layers_as_they_were(x):
    net = NETS["plain"]()
    before = copy.deepcopy(net)
    with pytest.raises(RuntimeError, match="expected"):
        Repeated(net, x[:, :2])()
    with pytest.raises(ValueError, match="4D"):
        Repeated(net[1:], x[0])()
    assert net[1].momentum == 0.1
    assert_same_buffers(net, before, rtol=0, atol=0)
    assert all("forward" not in vars(m) for m in net.modules())
