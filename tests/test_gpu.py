"""Jobs that share a workstation's GPUs take one each; what a cluster gave stays."""

import os
import subprocess
import sys
import tempfile

import pytest

from abd.errors import AbdError
from abd.stages.gpu import VISIBLE, take_gpu

HOLD = """
import os, sys
from abd.stages.gpu import take_gpu
index = take_gpu(2, lambda line: print(line, flush=True))
print(index, "of", os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Without a cluster's or a user's devices, and with locks of its own."""
    for name in (VISIBLE, "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return monkeypatch


def _hold():
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_jobs_have_two_gpus_and_a_third_waits(environment):
    first, second = jobs = [_hold(), _hold()]
    try:
        taken = {job.stdout.readline().strip() for job in (first, second)}
        assert taken == {"0 of 0", "1 of 1"}
        third = _hold()
        jobs.append(third)
        assert third.stdout.readline() == "waiting for a GPU: other jobs have all 2\n"
        first.kill()  # whatever ends a job gives its GPU back
        assert third.stdout.readline().strip() in taken
    finally:
        for job in jobs:
            job.kill()
            job.communicate()


def test_only_the_visible_ones_are_taken(environment):
    environment.setenv(VISIBLE, "3, GPU-5a")
    with _hold() as job:
        shown = job.stdout.readline().strip()
        job.kill()
    assert shown == "0 of 3"


@pytest.mark.parametrize(
    ("variables", "n_devices"),
    [({}, 0), ({}, 1), ({VISIBLE: "2"}, 1), ({VISIBLE: ""}, 0)],
)
def test_nothing_changes_without_a_choice(environment, variables, n_devices):
    for name, value in variables.items():
        environment.setenv(name, value)
    before = dict(os.environ)
    assert take_gpu(n_devices, print) is None
    assert dict(os.environ) == before


@pytest.mark.parametrize("trap", ["a link", "open to all", "a file"])
def test_locks_go_to_no_folder_of_another_s_making(environment, tmp_path, trap):
    """The name is known to all; a lock is not to be opened where a link leads."""
    environment.setattr(tempfile, "tempdir", str(tmp_path))
    folder, elsewhere = tmp_path / f"abd-gpus-{os.getuid()}-", tmp_path / "elsewhere"
    elsewhere.mkdir()
    if trap == "a link":
        folder.symlink_to(elsewhere)
    elif trap == "a file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(AbdError, match="a folder that this user alone may write to"):
        take_gpu(2, print)
    assert not list(elsewhere.iterdir())


def test_a_lock_leaves_what_a_link_points_to(environment, tmp_path):
    environment.setattr(tempfile, "tempdir", str(tmp_path))
    folder, file = tmp_path / f"abd-gpus-{os.getuid()}-", tmp_path / "config"
    file.write_text("all of it")
    folder.mkdir(mode=0o700)
    (folder / "0").symlink_to(file)
    with pytest.raises(OSError, match="symbolic links"):
        take_gpu(2, print)
    assert file.read_text() == "all of it"
