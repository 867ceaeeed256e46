"""`make demo` clears the locks of a killed run, and never those of one that works."""

import subprocess
from pathlib import Path

import pytest
from tools.run_demo import locked_by_none


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder that a killed Snakemake left."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_locks_that_nobody_holds(locked):
    assert locked_by_none()


def test_no_locks(locked):
    (locked / ".snakemake/locks/0.input.lock").unlink()
    assert not locked_by_none()


@pytest.mark.parametrize("name", ["snakemake", "dvc"])
def test_who_works_here_keeps_them(name, locked):
    """A DVC, too, that has not started its Snakemake yet."""
    command = ["bash", "-c", f"exec -a {name} sleep 60"]
    with subprocess.Popen(command, cwd=locked) as runner:
        try:
            while not _is(runner.pid, name):
                assert runner.poll() is None
            assert not locked_by_none()
        finally:
            runner.kill()


def _is(pid, name):
    return Path(f"/proc/{pid}/cmdline").read_text().startswith(name)
