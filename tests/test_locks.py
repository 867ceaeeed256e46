"""One process at a time holds a lock, and a killed one is no obstacle."""

import errno
import fcntl
import subprocess
import sys
import threading

import pytest

from abd.errors import AbdError
from abd.storage.locks import held

HOLD = """
import sys
from pathlib import Path
from abd.storage.locks import held

with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "work" / "job" / "lock"


@pytest.fixture
def holder(lock):
    """A process that holds the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_waits_and_is_told_of_the_first(holder, lock):
    told = []

    def end_it(name):
        told.append(name)
        holder.stdin.close()

    with held(lock, end_it) as waited:
        assert waited
    assert len(told) == 1
    assert told[0].startswith(f"process {holder.pid} on ")
    assert holder.wait(60) == 0
    with held(lock, end_it) as waited:
        assert not waited
    assert len(told) == 1
    assert not lock.exists()


def test_what_a_killed_process_held_is_free(holder, lock):
    holder.kill()
    holder.wait()
    assert lock.is_file()
    with held(lock) as waited:
        assert not waited


def test_one_at_a_time_of_many(lock):
    """Each takes the lock from the others' hands again and again, and none meets another."""
    inside, n_turns = [], []

    def take():
        for _ in range(50):
            with held(lock):
                inside.append(1)
                n_turns.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert n_turns == [1] * 200


def test_what_was_made_for_a_lock_goes_and_nothing_else(lock, tmp_path):
    with held(lock):
        assert lock.is_file()
    assert not list(tmp_path.iterdir())
    with held(lock):
        (lock.parent / "checkpoint").touch()
    assert [path.name for path in lock.parent.iterdir()] == ["checkpoint"]


def test_a_file_system_without_locks_stops_nothing(lock, monkeypatch):
    def fails(code):
        def flock(*_):
            raise OSError(code, "no")

        return flock

    monkeypatch.setattr(fcntl, "flock", fails(errno.ENOLCK))
    with held(lock) as waited:
        assert not waited
    monkeypatch.setattr(fcntl, "flock", fails(errno.EIO))
    with pytest.raises(AbdError, match="expected to write it, got no; "), held(lock):
        pass


def test_a_folder_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    said = "lock: expected to write it, got Permission denied; make its folder writable"
    with pytest.raises(AbdError, match=said), held(tmp_path / "lock"):
        pass
