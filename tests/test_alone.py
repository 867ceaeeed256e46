"""One process at a time is at work on a job, and a killed one is no obstacle."""

import errno
import fcntl
import subprocess
import sys

import pytest

from abd.errors import AbdError
from abd.stages.alone import alone

HOLD = """
import sys
from pathlib import Path
from abd.stages.alone import alone

with alone(Path(sys.argv[1]), "teacher"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that works on the job until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "work")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_of_the_first(holder, tmp_path):
    said = f"got process {holder.pid} on .*, which makes the same; wait for it"
    with pytest.raises(AbdError, match=said), alone(tmp_path / "work", "teacher"):
        pass
    holder.communicate("")
    assert not list((tmp_path / "work").iterdir())
    with alone(tmp_path / "work", "teacher"):
        pass


def test_what_a_killed_process_held_is_free(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / "work/lock").is_file()
    ours, another = (alone(tmp_path / "work", "teacher") for _ in range(2))
    with ours, pytest.raises(AbdError), another:
        pass
    assert not list((tmp_path / "work").iterdir())


def test_a_file_system_without_locks_stops_nothing(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with alone(tmp_path / "work", "teacher"):
        assert (tmp_path / "work/lock").is_file()
