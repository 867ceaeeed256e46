"""Drives a run: progress, history, monitor, working checkpoints, signals.

The loops yield; here is what happens between two of their steps. Nothing here changes
what they compute.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from abd.errors import AbdError, Interrupted
from abd.history import Record
from abd.stages import global_stream
from abd.stages.job import Job, say
from abd.state import State
from abd.storage.working import WorkingCheckpoints

Observe = Callable[[int], Mapping[str, float]]

CHECKPOINT_SECONDS = 120.0
# Of the time, at most: where a save takes long, saves are rarer. But one that only happened
# to take long, on a disk that hung, is not to leave a job without.
CHECKPOINT_SHARE = 0.02
CHECKPOINT_SECONDS_AT_MOST = 1200.0
PROGRESS_SECONDS = 1.0
INTERVAL = "ABD_CHECKPOINT_SECONDS"
HISTORY = "history"  # the name of the history among a state's values


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
        self._kept = WorkingCheckpoints(job.work, job.key)
        self._said = time.monotonic()
        self._line = ""
        self._saved = time.monotonic()
        self._save_took = 0.0
        self._asked = _asked_interval()
        self._shown: dict[str, float] = {}
        global_stream.begin(job.config.get("seed", 0), job.stage)
        self._resume()

    def until(self, stop: int) -> None:
        """Work until `stop`; Interrupted, with the checkpoint saved, after a signal.

        Raises AbdError where the state is no longer finite; the last good one is kept.
        """
        with _signals() as caught:
            for record in self._steps(stop, caught):
                self._note(record)
                if caught or time.monotonic() - self._saved > self._interval():
                    self._save()
                self._progress(record is not None)
                if caught:
                    raise self._stopped(caught, "there")
        self._good_state()

    def _steps(self, stop: int, caught: list[str]) -> Iterator[Record | None]:
        """The run's steps; one that fails after a signal is stopped by it.

        It may have failed for a compiler at work, which the signal stopped, too.
        """
        try:
            yield from self.run.run(stop)
        except AbdError:
            if caught:
                saved = self._kept.latest.is_file() or self._kept.before.is_file()
                where = "the last checkpoint" if saved else "the beginning"
                raise self._stopped(caught, where) from None
            raise

    def _stopped(self, caught: list[str], where: str) -> Interrupted:
        return Interrupted(
            f"{self.job.stage}: stopped by {caught[0]} at "
            f"{self.run.position}/{self.total}; start again to go on from {where}"
        )

    def mark(self, name: str) -> None:
        """Keep the state as it is now under a name; a stop does not lose it."""
        self._kept.mark(name, self._whole_state())

    def marked(self, name: str) -> State:
        """Return the state that `mark` kept."""
        state = self._kept.marked(name)
        del state.values[HISTORY]
        global_stream.take(state)
        return state

    def done(self) -> None:
        """Remove what was kept for going on: the results are written."""
        self._kept.clear()

    def _good_state(self) -> State:
        """The state of the run; AbdError where it is not finite."""
        state = self.run.state()
        bad = state.not_finite()
        if bad:
            raise AbdError(
                f"{self.job.stage}: expected finite numbers at {self.run.position}/"
                f"{self.total}, got NaN or inf in {bad[0]}; {self._saved_before()}; "
                "lower the learning rate"
            )
        return state

    def _saved_before(self) -> str:
        for path in (self._kept.latest, self._kept.before):
            if path.is_file():
                return f"the last good state is kept in {path}"
        return "no state was saved before"

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
        line = f"progress {self.run.position}/{self.total}  {shown}"
        if due or line != self._line:  # a teacher's position stays while an epoch lasts
            say(line)
        self._line = line

    def _save(self) -> None:
        before = time.monotonic()
        self._kept.save(self._whole_state())
        self._saved = time.monotonic()
        self._save_took = self._saved - before

    def _interval(self) -> float:
        """Seconds between two working checkpoints; tests ask for them more often."""
        if self._asked is not None:
            return self._asked
        rarer = max(CHECKPOINT_SECONDS, self._save_took / CHECKPOINT_SHARE)
        return min(rarer, CHECKPOINT_SECONDS_AT_MOST)

    def _whole_state(self) -> State:
        """The run's state, if it is good, the history up to it, and the global streams."""
        state = self._good_state()
        state.values[HISTORY] = [[r.step, r.values] for r in self.history]
        global_stream.save(state)
        return state

    def _resume(self) -> None:
        state, complaints = self._kept.load()
        for complaint in complaints:
            say(f"working checkpoint discarded: {complaint}")
        if state is None:
            return
        history = state.values.pop(HISTORY)
        places = global_stream.take(state)
        self.run.load(state)
        global_stream.go_on(places)
        self.history = [Record(step, values) for step, values in history]
        say(f"going on from the working checkpoint at {self.run.position}/{self.total}")


def _asked_interval() -> float | None:
    """The seconds that the environment asks for; AbdError where they are none."""
    given = os.environ.get(INTERVAL)
    if given is None:
        return None
    with suppress(ValueError):
        if (seconds := float(given)) >= 0:  # NaN is not
            return seconds
    raise AbdError(f"{INTERVAL}: expected seconds, got {given!r}")


@contextmanager
def _signals() -> Iterator[list[str]]:
    """Collect SIGINT (Ctrl-C), SIGTERM and SIGUSR1 instead of dying from them."""
    caught: list[str] = []
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
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
