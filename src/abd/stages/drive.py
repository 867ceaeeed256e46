"""Drives a run: progress, history, monitor, working checkpoints, signals.

The loops yield; here is what happens between two of their steps. Nothing here changes
what they compute.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn

from abd.errors import AbdError, Interrupted
from abd.history import Record
from abd.monitor import EvalMonitor
from abd.stages.job import Job, say
from abd.stages.load import load_test
from abd.state import State
from abd.storage.checkpoints import read_state, write_state

Observe = Callable[[int], Mapping[str, float]]

CHECKPOINT_SECONDS = 120.0
PROGRESS_SECONDS = 1.0


class Run(Protocol):
    """A loop that can be stopped, saved and continued between its steps."""

    position: int

    def run(self, stop: int) -> Iterator[Record | None]:
        """Work until `position` is `stop`, yielding after each step."""
        ...

    def state(self) -> State:
        """Return the complete state."""
        ...

    def load(self, state: State) -> None:
        """Go on from a state."""
        ...


def watch(job: Job, net: nn.Module, device: torch.device) -> Observe | None:
    """Let the monitor, where the job has one, look at `net` now and then and at the end."""
    if "monitor" not in job.inputs:
        return None
    monitor = EvalMonitor(load_test(job, "monitor", device))
    every, total = job.config["eval_every"], job.config["total"]

    def observe(position: int) -> Mapping[str, float]:
        return monitor(net) if position % every == 0 or position == total else {}

    return observe


class Driver:
    """Runs a loop to a position, and remembers its history and its checkpoints."""

    def __init__(
        self,
        job: Job,
        run: Run,
        total: int,
        observe: Observe | None = None,
    ) -> None:
        self.job = job
        self.run = run
        self.total = total
        self.observe = observe
        self.history: list[Record] = []
        self.path = job.work / "checkpoint.safetensors"
        self._said = time.monotonic()
        self._saved = time.monotonic()
        self._shown: dict[str, float] = {}
        self._resume()

    def until(self, stop: int) -> None:
        """Work until `stop`; Interrupted, with the checkpoint saved, after a signal."""
        with _signals() as caught:
            for record in self.run.run(stop):
                self._note(record)
                if caught or time.monotonic() - self._saved > _interval():
                    self._save()
                self._progress(record is not None)
                if caught:
                    raise Interrupted(
                        f"{self.job.stage}: stopped by {caught[0]} at "
                        f"{self.run.position}/{self.total}; start again to go on from there"
                    )

    def done(self) -> None:
        """Remove the working checkpoint: the results are written."""
        self.path.unlink(missing_ok=True)

    def _note(self, record: Record | None) -> None:
        values = dict(record.values) if record else {}
        if self.observe is not None:
            values |= self.observe(self.run.position)
        if values:
            self._shown |= values
            self.history.append(Record(self.run.position, values))

    def _progress(self, due: bool) -> None:
        now = time.monotonic()
        if not due and now - self._said < PROGRESS_SECONDS:
            return
        self._said = now
        shown = "  ".join(
            f"{k} {100 * v:.1f} %" if k in ("acc", "asr") else f"{k} {v:.4g}"
            for k, v in sorted(self._shown.items(), reverse=True)
        )
        say(f"progress {self.run.position}/{self.total}  {shown}")

    def _save(self) -> None:
        state = self.run.state()
        state.values["driver"] = {
            "key": self.job.key,
            "history": [[r.step, r.values] for r in self.history],
        }
        write_state(self.path, state)
        self._saved = time.monotonic()

    def _resume(self) -> None:
        if not self.path.is_file():
            return
        try:
            state = read_state(self.path)
        except AbdError as error:
            say(f"working checkpoint discarded: {error}")
            return
        own: dict[str, Any] = state.values.pop("driver", {})
        if own.get("key") != self.job.key:
            say(f"working checkpoint discarded: {self.path} is of other params or inputs")
            return
        self.run.load(state)
        self.history = [Record(step, values) for step, values in own["history"]]
        say(f"going on from the working checkpoint at {self.run.position}/{self.total}")


@contextmanager
def _signals() -> Iterator[list[str]]:
    """Collect SIGTERM and SIGUSR1 instead of dying from them."""
    caught: list[str] = []
    kinds = (signal.SIGTERM, signal.SIGUSR1)
    before = {
        kind: signal.signal(
            kind, lambda number, _: caught.append(signal.Signals(number).name)
        )
        for kind in kinds
    }
    try:
        yield caught
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _interval() -> float:
    """Seconds between two working checkpoints; tests ask for them more often."""
    return float(os.environ.get("ABD_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS))
