"""Optimizers by name; one whose steps a CUDA graph can hold takes the same steps."""

import pytest
import torch

from abd.optim import OptimizerSpec
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.state import State


def _weights(device="cpu"):
    stream = torch_stream(0, "weights")
    shapes = [(4, 3, 3, 3), (4,), (2, 5)]
    weights = [torch.randn(shape, generator=stream) for shape in shapes]
    weights[0] = weights[0].contiguous(memory_format=torch.channels_last)
    return [weight.to(device).requires_grad_() for weight in weights]


def _step(spec, optimizer, weights, position):
    spec.set_lr(optimizer, position)
    optimizer.zero_grad()
    sum((weight.exp() * (1 + i)).sum() for i, weight in enumerate(weights)).backward()
    spec.step(optimizer)


SPECS = [
    OptimizerSpec("sgd", cosine(0.01, 10), 0.9, 5e-4),
    OptimizerSpec("sgd", cosine(0.01, 10)),
    OptimizerSpec("adam", cosine(0.01, 10), clip_norm=1.0),
]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("spec", SPECS)
def test_a_capturable_step_is_a_step(spec, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    if device == "cpu" and spec.kind == "adam":
        pytest.skip("torch has capturable Adam on a GPU alone")
    ours, theirs = _weights(device), _weights(device)
    optimizers = [spec.build(w, capturable=c) for w, c in ((ours, True), (theirs, False))]
    assert isinstance(optimizers[0].param_groups[0]["lr"], torch.Tensor)
    for position in range(4):
        for optimizer, weights in zip(optimizers, (ours, theirs), strict=True):
            _step(spec, optimizer, weights, position)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("spec", SPECS)
def test_what_was_saved_comes_back_in_the_layout_that_it_had(spec):
    """Storage keeps no memory layout; a fused optimizer asks for that of its weights."""
    weights = _weights()
    optimizer = spec.build(weights)
    _step(spec, optimizer, weights, 0)
    state = State()
    state.put_optimizer("optimizer", optimizer)
    state.tensors = {k: v.clone(memory_format=torch.contiguous_format)
                     for k, v in state.tensors.items()}  # fmt: skip
    again = spec.build(weights)
    state.get_optimizer("optimizer", again)
    for weight in weights:
        slots, kept = again.state[weight], optimizer.state[weight]
        assert slots.keys() == kept.keys()
        for name, value in slots.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(kept[name])), name
            assert torch.as_tensor(value).stride() == torch.as_tensor(kept[name]).stride()
