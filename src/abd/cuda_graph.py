"""A round of training as a CUDA graph: recorded once, then launched as a whole.

The networks are so small that a GPU waits for its next kernel longer than it computes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch

T = TypeVar("T")
N_EAGER = 3  # calls in which torch chooses its kernels, and optimizers make their state


class Graphed(Generic[T]):
    """Calls `work`: as it stands at first, then as a graph, on the current CUDA device.

    `work` must take all that changes from tensors that stay where they are, and must not
    look at a value on the way. Each call gives what the recorded one gave: the same
    tensors, filled anew.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self._n_calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: T

    def __call__(self) -> T:
        """Do the work once."""
        self._n_calls += 1
        if self._n_calls <= N_EAGER:
            return self._aside()
        if self._graph is None:  # recording computes nothing
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._result = self.work()
        self._graph.replay()
        return self._result

    def _aside(self) -> T:
        """Run on a stream of its own, as what is to be recorded later has to."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            result = self.work()
        torch.cuda.current_stream().wait_stream(aside)
        return result
