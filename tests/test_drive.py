"""What happens between two steps of a run."""

import os
import signal
from types import SimpleNamespace

import pytest
import torch

from abd.errors import AbdError, Interrupted
from abd.stages import drive
from abd.stages.job import Job
from abd.state import State


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def monotonic(self):
        return self.now


class Failing:
    """A first step that cannot be taken, perhaps as a signal stopped what it needs."""

    position = 0

    def __init__(self, *signals):
        self.signals = signals

    def run(self, stop):
        for number in self.signals:
            os.kill(os.getpid(), number)
        raise AbdError("no compiler")
        yield

    def state(self):
        return State({}, {})


class Broken(Failing):
    """A step that is taken, to a state that is no good."""

    def run(self, stop):
        for number in self.signals:
            os.kill(os.getpid(), number)
        yield None

    def state(self):
        return State({"w": torch.tensor(float("nan"))}, {})


class Counting(Failing):
    """Steps that count, the second with a signal."""

    def run(self, stop):
        while self.position < stop:
            self.position += 1
            if self.position == 2:
                os.kill(os.getpid(), self.signals[0])
            yield None

    def state(self):
        return State({}, {"position": self.position})

    def load(self, state):
        self.position = state.values["position"]


def test_a_signal_between_two_saves_saves(tmp_path, monkeypatch):
    monkeypatch.delenv("ABD_CHECKPOINT_SECONDS", raising=False)
    job = Job("distill", {}, {}, {"student": tmp_path / "student"}, "key")
    with pytest.raises(
        Interrupted, match="stopped by SIGUSR1 at 2/5; start again to go on"
    ):
        drive.Driver(job, Counting(signal.SIGUSR1), 5).until(5)
    again = Counting()
    drive.Driver(job, again, 5)
    assert again.position == 2


def test_a_step_that_fails_after_a_signal_is_a_stop(tmp_path):
    job = Job("distill", {}, {}, {"student": tmp_path / "student"}, "key")
    with pytest.raises(
        Interrupted, match="stopped by SIGTERM at 0/5; start again to go on from the beg"
    ):
        drive.Driver(job, Failing(signal.SIGTERM), 5).until(5)
    with pytest.raises(AbdError, match="no compiler"):
        drive.Driver(job, Failing(), 5).until(5)


def test_a_checkpoint_that_cannot_be_saved_after_a_signal_is_no_stop(tmp_path):
    """It would promise to go on from what is not there."""
    job = Job("distill", {}, {}, {"student": tmp_path / "student"}, "key")
    driver = drive.Driver(job, Broken(signal.SIGTERM), 5)
    with pytest.raises(AbdError, match=r"expected finite numbers .* no state was saved"):
        driver.until(5)


class Drawing:
    """A run whose network draws from torch's global stream, as dropout does."""

    def __init__(self):
        self.position, self.drawn = 0, torch.zeros(0)

    def run(self, stop):
        while self.position < stop:
            self.drawn = torch.cat([self.drawn, torch.rand(1)])
            self.position += 1
            yield None

    def state(self):
        return State({"drawn": self.drawn}, {"position": self.position})

    def load(self, state):
        self.drawn, self.position = state.tensors["drawn"], state.values["position"]


def _drawn(tmp_path, name, *stops, seed=0):
    """What a job draws that is stopped, and begins again in another process, at `stops`."""
    for stop in stops:
        torch.rand(7)  # another process's streams are anywhere
        job = Job("distill", {"seed": seed}, {}, {"student": tmp_path / name / "s"}, "key")
        driver = drive.Driver(job, Drawing(), 5)
        driver.until(stop)
        driver.mark(f"at {stop}")
        assert set(driver.marked(f"at {stop}").tensors) == {"drawn"}
        driver._save()
    return driver.run.drawn.tolist()


def test_a_network_s_own_draws_go_on_where_they_were(tmp_path):
    unbroken = _drawn(tmp_path, "unbroken", 5)
    assert _drawn(tmp_path, "broken", 2, 3, 5) == unbroken
    assert _drawn(tmp_path, "other", 5, seed=1) != unbroken


@pytest.mark.parametrize(
    ("save_takes", "n_saves"),
    [(0.1, 29), (2.4, 29), (20.0, 4), (600.0, 3)],  # seconds; the hour has 29 intervals
)
def test_checkpoints_take_at_most_a_fiftieth_of_the_time(
    save_takes, n_saves, tmp_path, monkeypatch
):
    clock, saves = Clock(), []

    class Steps:
        """An hour of steps of a second each."""

        position = 0

        def run(self, stop):
            while self.position < stop:
                clock.now += 1
                self.position += 1
                yield None

        def state(self):
            return State({}, {})

    def save(kept, state):
        clock.now += save_takes
        saves.append(clock.now)

    monkeypatch.delenv("ABD_CHECKPOINT_SECONDS", raising=False)
    monkeypatch.setattr(drive, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(drive.WorkingCheckpoints, "save", save)
    job = Job("distill", {}, {}, {"student": tmp_path / "student"}, "key")
    drive.Driver(job, Steps(), 3600).until(3600)
    assert len(saves) == n_saves
    if save_takes / drive.CHECKPOINT_SHARE <= drive.CHECKPOINT_SECONDS_AT_MOST:
        after_the_first = save_takes * (n_saves - 1)  # until then it is not known
        assert after_the_first <= drive.CHECKPOINT_SHARE * clock.now
