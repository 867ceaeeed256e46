"""Optimizers that spare the import of the compiler are PyTorch's own, bit for bit."""

import subprocess
import sys

import pytest
import torch

from abd import eager


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Adam", {"lr": 1e-3, "weight_decay": 1e-2}),
        ("SGD", {"lr": 1e-1, "momentum": 0.9, "weight_decay": 5e-4}),
    ],
)
def test_steps_are_those_of_torch(name, settings):
    values = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    ours, theirs = (values.clone().requires_grad_() for _ in range(2))
    optimizer = getattr(eager, name)([ours], **settings)
    twin = getattr(torch.optim, name)([theirs], **settings)
    for _ in range(3):
        for one, weights in ((optimizer, ours), (twin, theirs)):
            one.zero_grad()
            weights.exp().sum().backward()
            one.step()
        assert torch.equal(ours, theirs)
        assert not ours.equal(values)
    assert not ours.grad.requires_grad
    again = getattr(eager, name)([ours], **settings)
    again.load_state_dict(optimizer.state_dict())
    for key, value in twin.state_dict()["state"][0].items():
        assert torch.equal(again.state_dict()["state"][0][key], value), key


SPARED = """
import sys
import torch
from abd.eager import SGD, Adam

weights = torch.ones(3, requires_grad=True)
for optimizer in (Adam([weights], 0.1), SGD([weights], 0.1)):
    optimizer.zero_grad()
    weights.sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
assert weights.max() < 1
assert "torch._dynamo" not in sys.modules
"""


def test_the_compiler_is_not_imported():
    subprocess.run([sys.executable, "-c", SPARED], check=True)
