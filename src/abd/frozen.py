"""Networks that are only passed through, and are afterwards as they were before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen_parameters(net: nn.Module) -> Iterator[None]:
    """Save the weight gradients of `net` where only those of its input are wanted."""
    wanted = [p.requires_grad for p in net.parameters()]
    net.requires_grad_(False)
    try:
        yield
    finally:
        for p, flag in zip(net.parameters(), wanted, strict=True):
            p.requires_grad_(flag)


@contextmanager
def in_eval_mode(net: nn.Module) -> Iterator[None]:
    """Switch `net` to eval mode, and every layer back to its own."""
    before = [(layer, layer.training) for layer in net.modules()]
    net.eval()
    try:
        yield
    finally:
        net.train(before[0][1])  # a network may do more than to set flags
        for layer, was_training in before:
            layer.training = was_training
