"""A disk that is full or may not be written: one line, no partial file, nothing lost."""

import os
import subprocess

import numpy as np
import pytest
import torch

from abd.errors import AbdError
from abd.state import State
from abd.storage.arrays import read_arrays, write_arrays
from abd.storage.checkpoints import read_tensors, write_tensors
from abd.storage.files import read_json, write_json
from abd.storage.working import WorkingCheckpoints

SIZE = 256 * 1024
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")


def mount(folder, *options):
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True
    )


@pytest.fixture
def disk(tmp_path):
    """A folder on a file system of its own, with room for 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount(folder, f"size={SIZE}")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def tensors(n_bytes):
    return {"x": torch.arange(n_bytes // 4, dtype=torch.float32)}


WRITERS = {
    "tensors": (lambda path, n: write_tensors(path, tensors(n)), read_tensors),
    "arrays": (lambda path, n: write_arrays(path, x=np.zeros(n, np.uint8)), read_arrays),
    "json": (lambda path, n: write_json(path, "x" * n), read_json),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_was_there_stays_when_there_is_no_room(kind, disk):
    write, read = WRITERS[kind]
    path = disk / "folder" / "file"
    write(path, SIZE // 4)
    before = path.read_bytes()
    with pytest.raises(AbdError) as caught:
        write(path, SIZE)
    said = str(caught.value)
    assert said.startswith(f"{path}: expected to write it, got No space left on device")
    assert "\n" not in said
    assert [p.name for p in path.parent.iterdir()] == ["file"], "no partial file is left"
    assert path.read_bytes() == before
    read(path)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_that_may_not_be_written(kind, disk):
    write, _ = WRITERS[kind]
    mount(disk, "remount", "ro")
    with pytest.raises(AbdError, match="Read-only file system; make its folder writable"):
        write(disk / "file", 100)


def test_the_last_good_checkpoint_is_gone_on_from(disk):
    kept = WorkingCheckpoints(disk, "key")
    kept.save(State(tensors(SIZE // 2), {"position": 1}))
    with pytest.raises(AbdError, match="No space left"):
        kept.save(State(tensors(SIZE), {"position": 2}))
    state, complaints = WorkingCheckpoints(disk, "key").load()
    assert state.values == {"position": 1}
    assert torch.equal(state.tensors["x"], tensors(SIZE // 2)["x"])
    assert complaints == []
