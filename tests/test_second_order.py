"""Layers quick to differentiate twice, against torch's own and finite differences."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from abd.bn_gradient import batch_norm
from abd.conv_gradient import conv2d
from abd.nets import build_net
from abd.second_order import quick_second_order
from tests.layers import doubled

LAYOUTS = [torch.channels_last, torch.contiguous_format]


def _double(*shape, stream):
    return torch.randn(*shape, generator=stream, dtype=torch.double)


LAYERS = [
    (batch_norm, nn.BatchNorm2d(4)),
    (conv2d, nn.Conv2d(4, 3, 3, padding=1, bias=False)),
    (conv2d, nn.Conv2d(4, 6, 1, stride=2, bias=False)),
    (
        conv2d,
        nn.Conv2d(4, 6, (3, 2), padding=(2, 0), dilation=(1, 2), groups=2, bias=False),
    ),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("function", "layer"), LAYERS)
def test_both_derivatives_agree_with_finite_differences(function, layer, layout, stream):
    layer = layer.double()
    layer.track_running_stats = False
    x = _double(3, 4, 5, 4, stream=stream).to(memory_format=layout).requires_grad_()
    names = [name for name, _ in layer.named_parameters()]
    parameters = [
        _double(*p.shape, stream=stream).requires_grad_() for p in layer.parameters()
    ]

    def value(x, *parameters):
        stand_in = copy.copy(layer)
        stand_in._parameters = dict(zip(names, parameters, strict=True))
        return function(stand_in, x)

    plain = functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))
    assert torch.allclose(value(x, *parameters), plain)
    assert torch.autograd.gradcheck(value, (x, *parameters))
    assert torch.autograd.gradgradcheck(value, (x, *parameters))


def _curvature(net, x):
    """Output, gradient, and the second-order gradients of input and weights."""
    x = x.clone().requires_grad_()
    y = net(x)
    (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    second = torch.autograd.grad(slope.pow(3).sum(), [x, *net.parameters()])
    return [y, slope, *second]


@pytest.mark.parametrize("mode", [True, False])
def test_a_whole_network_is_as_ever(mode, stream):
    """Values, derivatives and running statistics, in train and in eval mode."""
    x = _double(4, 3, 8, 8, stream=stream)
    plain = build_net("wrn-10-1", 3, stream).double().train(mode)
    quick = build_net("wrn-10-1", 3).double().train(mode)
    quick.load_state_dict(plain.state_dict())
    expected = _curvature(plain, x)
    with quick_second_order(quick):
        got = _curvature(quick, x)
    for a, b in zip(got, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-8, atol=1e-8 * b.detach().abs().max().item())
    for (name, a), b in zip(quick.named_buffers(), plain.buffers(), strict=True):
        assert torch.allclose(a, b), name


def test_a_network_is_left_as_it_was(stream):
    net = build_net("wrn-10-1", 3, stream)
    with pytest.raises(KeyboardInterrupt), quick_second_order(net):
        raise KeyboardInterrupt
    assert all("forward" not in vars(m) for m in net.modules())


def test_a_layer_with_a_forward_of_its_own_keeps_it(stream):
    layer, x = doubled(nn.BatchNorm2d(3)), torch.randn(4, 3, 2, 2, generator=stream)
    own, expected = vars(layer)["forward"], layer(x)
    with quick_second_order(layer):
        assert torch.equal(layer(x), expected)
    assert vars(layer)["forward"] is own


def test_attention_can_be_differentiated_twice(stream):
    q, v = (_double(2, 2, 4, 8, stream=stream).requires_grad_() for _ in range(2))
    with quick_second_order(nn.Identity()):
        assert torch.autograd.gradgradcheck(
            lambda q, v: nn.functional.scaled_dot_product_attention(q, q, v), (q, v)
        )


def test_untracked_statistics_stay(stream):
    layer = nn.BatchNorm2d(3)
    layer.track_running_stats = False
    with quick_second_order(layer):
        layer(torch.randn(4, 3, 2, 2, generator=stream))
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.num_batches_tracked == 0
