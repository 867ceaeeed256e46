"""The fused doubling and convolution, against the two written out."""

import pytest
import torch
import torch.nn.functional as F

from abd.nets.doubling import DoublingConv2d


@pytest.mark.parametrize("size", [(4, 4), (1, 3)])
def test_a_doubling_convolution_is_a_doubling_and_a_convolution(size, stream):
    """In its output, and in the gradients of input and weights."""
    layer = DoublingConv2d(3, 5).double()
    x = torch.randn(2, 3, *size, generator=stream, dtype=torch.double, requires_grad=True)
    ours = layer(x)
    plain = F.conv2d(F.interpolate(x, scale_factor=2), layer.weight, padding=1)
    assert ours.shape == (2, 5, 2 * size[0], 2 * size[1])
    assert torch.allclose(ours, plain, atol=1e-12)
    cotangent = torch.randn(ours.shape, generator=stream, dtype=torch.double)
    for a, b in zip(
        torch.autograd.grad(ours, [x, layer.weight], cotangent),
        torch.autograd.grad(plain, [x, layer.weight], cotangent),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-12)
