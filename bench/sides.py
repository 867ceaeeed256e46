"""One side of a comparison, in a process of its own.

Ours and its peer do not share a memory allocator, a thread pool or torch's settings: each
runs as it would by itself, and they take turns.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

N_THREADS = 2

Step = Callable[[], Any]


class Side:
    """A process that was given a function which makes a step, and takes it when asked."""

    def __init__(self, make: Callable[[], Step]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, other), daemon=True)
        self._process.start()
        other.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join()

    def step(self) -> tuple[float, Any]:
        """Take a step; return its seconds and what it gave."""
        self._pipe.send("step")
        seconds, value = self._pipe.recv()
        return seconds, value

    def peak_bytes(self) -> int:
        """The most memory that the process has held so far."""
        self._pipe.send("peak")
        n_bytes: int = self._pipe.recv()
        return n_bytes


def _serve(make: Callable[[], Step], pipe: Connection) -> None:
    import torch

    torch.set_num_threads(N_THREADS)
    step = make()
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        if asked == "peak":
            pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
            continue
        start = time.perf_counter()
        value = step()
        pipe.send((time.perf_counter() - start, value))
