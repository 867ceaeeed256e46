"""A round of training as a CUDA graph: recorded once, then launched as a whole.

The networks are so small that a GPU waits for its next kernel longer than it computes one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
N_EAGER = 3  # calls in which torch chooses its kernels, and optimizers make their state


@dataclass
class _Recording(Generic[T]):
    """A graph, the tensors that it reads what it is given from, and what it fills."""

    graph: torch.cuda.CUDAGraph
    given: tuple[Tensor, ...]
    result: T


class Graphed(Generic[T]):
    """Calls `work`: as it stands at first, then as a graph, on the current CUDA device.

    `work` may be given tensors. All else that changes it must take from tensors that stay
    where they are, and it must not look at a value on the way. A graph is recorded for each
    set of shapes. What a call gives are the recorded tensors, filled anew.
    """

    def __init__(self, work: Callable[..., T]) -> None:
        self.work = work
        self._n_calls: dict[tuple[torch.Size, ...], int] = {}
        self._recordings: dict[tuple[torch.Size, ...], _Recording[T]] = {}

    def __call__(self, *given: Tensor) -> T:
        """Do the work once."""
        shapes = tuple(tensor.shape for tensor in given)
        n_calls = self._n_calls[shapes] = self._n_calls.get(shapes, 0) + 1
        if n_calls <= N_EAGER:
            return self._aside(given)
        if shapes not in self._recordings:
            self._recordings[shapes] = self._record(given)
        recording = self._recordings[shapes]
        for kept, tensor in zip(recording.given, given, strict=True):
            kept.copy_(tensor)
        recording.graph.replay()
        return recording.result

    def _record(self, given: tuple[Tensor, ...]) -> _Recording[T]:
        """Record the work, which computes nothing."""
        kept = tuple(tensor.clone() for tensor in given)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self.work(*kept)
        return _Recording(graph, kept, result)

    def _aside(self, given: tuple[Tensor, ...]) -> T:
        """Run on a stream of its own, as what is to be recorded later has to."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            result = self.work(*given)
        torch.cuda.current_stream().wait_stream(aside)
        return result
