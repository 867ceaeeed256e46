"""What happens between two steps of a run."""

from types import SimpleNamespace

import pytest

from abd.stages import drive
from abd.stages.job import Job
from abd.state import State


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def monotonic(self):
        return self.now


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
