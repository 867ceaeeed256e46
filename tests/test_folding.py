"""A network with folded BatchNorms against the network itself."""

import pytest
import torch
from torch import nn

from abd.nets import build_net
from abd.nets.folding import folded
from abd.nets.parts import forward_tail, forward_trunk, shufflable_convs
from abd.nets.taps import tap_names, tapped
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial

NETS = ["wrn-16-2", "wrn-10-1", "resnet-18"]


@pytest.fixture(params=NETS)
def net(request, stream):
    """A network in double precision, its BatchNorms not what they are at the start."""
    net = build_net(request.param, 4, stream).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.uniform_(-1, 1, generator=stream)
                module.bias.normal_(generator=stream)
    for _ in range(3):
        net.train()(torch.randn(4, 3, 32, 32, generator=stream, dtype=torch.double))
    return net.eval().requires_grad_(False)


@pytest.fixture
def x(stream):
    return torch.randn(2, 3, 32, 32, generator=stream, dtype=torch.double)


def test_a_folded_network_gives_the_same(net, x):
    """Logits, taps and input gradients; the network itself stays as it was."""
    before = {k: v.clone() for k, v in net.state_dict().items()}
    quick = folded(net)
    n_layers = [
        sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (net, quick)
    ]
    assert n_layers[1] < n_layers[0]
    x.requires_grad_()
    results = [tapped(n, x, tap_names(n)) for n in (net, quick)]
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(a, b, rtol=1e-9)
    gradients = [torch.autograd.grad(r[0].square().sum(), x)[0] for r in results]
    assert torch.allclose(*gradients, rtol=1e-9)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(p.requires_grad for p in quick.parameters())


def test_a_folded_network_is_shuffled_and_divided_alike(net, x):
    quick = folded(net)
    assert shufflable_convs(quick) == shufflable_convs(net)
    members = draw_trial(net, 5, 2, torch_stream(0, "shuffles"))
    shuffled = [ShuffledTeacher(n, members)(x)[1] for n in (net, quick)]
    assert torch.allclose(*shuffled, rtol=1e-9)
    halves = forward_tail(quick, forward_trunk(quick, x, 3), 3)
    assert torch.allclose(halves, net(x), rtol=1e-9)


def test_a_network_that_does_not_say_stays_as_it_is():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    assert folded(net) is net
