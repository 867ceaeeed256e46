"""Working checkpoints: the last two, whole, and of this job, or none."""

import pytest
import torch

from abd.errors import AbdError, DamagedError
from abd.state import State
from abd.storage.working import WorkingCheckpoints
from tests.damage import flip


def state_at(position):
    tensors = {
        "net/weight": torch.full((3, 2), float(position), dtype=torch.bfloat16),
        "net/count": torch.tensor(position),
        "net/none": torch.zeros(0),
    }
    return State(tensors, {"position": position, "loss": 1e300})


@pytest.fixture
def kept(tmp_path):
    """Checkpoints at 1, 2 and 3, the lambda state marked at 2."""
    checkpoints = WorkingCheckpoints(tmp_path, "key")
    checkpoints.save(state_at(1))
    checkpoints.mark("lambda", state_at(2))
    checkpoints.save(state_at(2))
    checkpoints.save(state_at(3))
    return checkpoints


def reopened(kept, key="key"):
    return WorkingCheckpoints(kept.folder, key)


def test_goes_on_from_the_latest(kept):
    again = reopened(kept)
    state, complaints = again.load()
    assert (state.values, complaints) == ({"position": 3, "loss": 1e300}, [])
    expected = state_at(3).tensors
    assert state.tensors.keys() == expected.keys()
    assert all(torch.equal(state.tensors[k], v) for k, v in expected.items())
    assert again.marked("lambda").values["position"] == 2
    assert len(list(kept.folder.iterdir())) == 3, "two checkpoints and a mark"


def test_any_flipped_bit_of_the_latest_is_seen_and_the_one_before_used(kept):
    size = kept.latest.stat().st_size
    whole = kept.latest.read_bytes()
    for at in {*range(8), *range(8, size, 7), size - 1}:
        again = reopened(kept)
        again.before.write_bytes(kept.before.read_bytes())
        again.latest.write_bytes(whole)
        flip(again.latest, at)
        state, complaints = again.load()
        assert state.values["position"] == 2, at
        assert len(complaints) == 1
        assert "checkpoint.safetensors" in complaints[0]
        assert not again.latest.exists()


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_a_torn_file_is_seen_and_the_one_before_used(size, kept):
    kept.latest.write_bytes(kept.latest.read_bytes()[:size])
    state, complaints = reopened(kept).load()
    assert state.values["position"] == 2
    assert "expected a safetensors file" in complaints[0]


def test_without_a_whole_one_there_is_nothing(kept):
    flip(kept.latest, -1)
    flip(kept.before, -1)
    state, complaints = reopened(kept).load()
    assert state is None
    assert len(complaints) == 2
    assert all("damaged: expected sha256" in complaint for complaint in complaints)
    assert not list(kept.folder.iterdir())


def test_with_a_damaged_mark_neither_checkpoint_that_needs_it_is_used(kept):
    flip(kept.folder / "lambda.safetensors", -1)
    state, complaints = reopened(kept).load()
    assert state is None
    assert len(complaints) == 2


def test_what_cannot_be_read_now_is_not_taken_for_damaged(kept):
    """A disk that fails for a while, or too little memory, costs no checkpoint."""
    kept.latest.unlink()
    kept.latest.symlink_to("/proc/self/mem")  # a file, and the system will not map it
    with pytest.raises(AbdError) as caught:
        reopened(kept).load()
    assert not isinstance(caught.value, DamagedError)
    assert kept.before.is_file()
    assert (kept.folder / "lambda.safetensors").is_file()


def test_those_of_another_job_are_discarded(kept):
    state, complaints = reopened(kept, "another").load()
    assert state is None
    assert "is of other params, code or inputs" in complaints[0]
    assert not list(kept.folder.iterdir())


def test_a_mark_is_read_whole_or_not_at_all(kept):
    flip(kept.folder / "lambda.safetensors", -1)
    with pytest.raises(AbdError, match="damaged"):
        kept.marked("lambda")


def test_nothing_is_left_when_the_job_is_done(kept):
    kept.clear()
    assert not list(kept.folder.iterdir())
