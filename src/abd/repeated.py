"""A forward that is made again and again, of which only the first is computed.

A network in train mode moves BatchNorm's running statistics with every forward. While
neither its weights nor the batch change, a repetition gives what the first one gave, and
moves them towards the same statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class _Update:
    """What a forward moves the running statistics of a layer towards, (C,) each."""

    layer: _BatchNorm
    mean: Tensor
    var: Tensor

    def apply(self) -> None:
        """Move them once more, as torch does, to rounding."""
        if self.layer.num_batches_tracked is not None:
            self.layer.num_batches_tracked.add_(1)
        factor = _factor(self.layer)
        for running, batch in zip(_running(self.layer), (self.mean, self.var), strict=True):
            running.lerp_(batch, factor)


class Repeated:
    """Forwards of one batch x through one network, whose weights stay as they are.

    A network that draws from torch's streams, or has buffers of its own that a forward
    changes, is passed every time. What it keeps elsewhere is not seen.
    """

    def __init__(self, net: nn.Module, x: Tensor) -> None:
        self.net = net
        self.x = x
        self._output: Tensor | None = None
        self._updates: list[_Update] = []

    def __call__(self) -> Tensor:
        """Return net(x) of a forward, with its graph where gradients are wanted."""
        before = _snapshot(self.net, self.x.device)
        with _recorded(self.net) as updates:
            output: Tensor = self.net(self.x)
        after = _snapshot(self.net, self.x.device)
        replayed = {id(update.layer) for update in updates}
        same = before.keys() == after.keys() and all(
            torch.equal(was, after[key])
            for key, was in before.items()
            if key[0] not in replayed
        )
        self._output, self._updates = (output.detach() if same else None), updates
        return output

    def again(self) -> Tensor:
        """Return net(x) without a graph, and leave the network as one more forward would.

        Passed only where it has not been yet, or would give something else each time. The
        tensor is the same each time, and not to be written to.
        """
        if self._output is None:
            with torch.no_grad():
                return self()
        for update in self._updates:
            update.apply()
        return self._output


def _running(layer: _BatchNorm) -> tuple[Tensor, Tensor]:
    """A layer's running mean and variance, (C,) each, to be written to.

    By .data, as torch's kernel writes them: unseen by graphs that hold these buffers.
    """
    assert layer.running_mean is not None
    assert layer.running_var is not None
    return layer.running_mean.data, layer.running_var.data


def _factor(layer: _BatchNorm) -> float:
    """The share that the last batch counted has in a layer's running statistics."""
    if layer.momentum is not None:
        return layer.momentum
    return (
        0.0 if layer.num_batches_tracked is None else 1 / float(layer.num_batches_tracked)
    )


@contextmanager
def _recorded(net: nn.Module) -> Iterator[list[_Update]]:
    """Collect how the forwards in this block move running statistics, in their order."""
    updates: list[_Update] = []
    layers = [
        m
        for m in net.modules()
        if isinstance(m, _BatchNorm)
        and type(m) in KINDS  # one of a user's own may move them otherwise
        and "forward" not in vars(m)
        and m.training
        and m.track_running_stats
        and m.running_mean is not None
    ]
    try:
        for layer in layers:
            vars(layer)["forward"] = partial(_forward, layer, updates)
        yield updates
    finally:
        for layer in layers:
            del layer.forward


def _forward(layer: _BatchNorm, updates: list[_Update], x: Tensor) -> Tensor:
    """The layer's forward; the batch's statistics follow from how the running ones move.

    What rounding takes from the former, divided by the factor, costs as little as it would
    anyway where they are multiplied by it again.
    """
    running = _running(layer)
    before = [buffer.clone() for buffer in running]
    y: Tensor = type(layer).forward(layer, x)
    factor = _factor(layer) or 1.0
    mean, var = (
        was + (now - was) / factor for was, now in zip(before, running, strict=True)
    )
    updates.append(_Update(layer, mean, var))
    return y


def _snapshot(net: nn.Module, device: torch.device) -> dict[tuple[int, str], Tensor]:
    """What a forward may change: torch's streams, and every module's buffers, by its id."""
    state = {(0, "cpu"): torch.get_rng_state()}
    if device.type == "cuda":
        state[0, "cuda"] = torch.cuda.get_rng_state(device)
    for module in net.modules():
        for name, buffer in module.named_buffers(recurse=False):
            state[id(module), name] = buffer.clone()
    return state
