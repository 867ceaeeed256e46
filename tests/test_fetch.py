"""Stage fetch: what it leaves, and what it refuses before anything is trained."""

import json

import numpy as np
import pytest

from abd.digest import code_digest
from abd.errors import AbdError
from abd.seeding import numpy_stream
from abd.stages.job import Job, run_job
from abd.stages.load import normalization
from abd.storage.arrays import read_dataset
from tests.raw_data import CLASSES, arrays, write_cifar10, write_folders, write_npz


@pytest.fixture
def fetch(tmp_path):
    """A function that runs the stage and returns the folder of its results."""

    def run(inputs=None, dataset="mine", options=None, **expected):
        expected = {"size": 16, "n_classes": 3, "n_train": 60, "resize": False, **expected}
        config = {"dataset": dataset, "fetch": expected}
        out = tmp_path / "out"
        outputs = {"dataset": out / "dataset.npz", "statistics": out / "statistics.json"}
        run_job("fetch", config, code_digest("fetch"), inputs or {}, outputs, options)
        return out

    return run


def test_own_data_in_order_and_their_statistics(fetch, tmp_path):
    out = fetch({"data": write_npz(tmp_path / "mine.npz")})
    data, written = read_dataset(out / "dataset.npz"), arrays()
    assert (data.x_train == written["x_train"]).all()
    assert data.class_names == CLASSES
    assert json.loads((out / "record.json").read_text())["facts"] == {"shuffled": []}
    images = {"images": {"mean": None, "std": [0.1, 0.2, 0.3]}}
    statistics = {"statistics": out / "statistics.json"}
    found = normalization(Job("teacher", images, statistics, {}, ""))
    x = written["x_train"].reshape(-1, 3) / 255
    assert found.mean == pytest.approx(x.mean(0), abs=1e-6)
    assert found.std == (0.1, 0.2, 0.3), "what is given holds"


def test_sorted_folders_are_shuffled_and_the_record_says_so(fetch, tmp_path):
    root = write_folders(tmp_path / "mine", counts=(20, 4))
    out = fetch({"data": root})
    record = json.loads((out / "record.json").read_text())
    assert record["facts"] == {"shuffled": ["train", "test"]}
    assert list(record["inputs"]) == [str(root)]
    assert len(np.unique(read_dataset(out / "dataset.npz").y_train[:20])) == 3


def test_a_registered_data_set_is_looked_for_where_params_say(fetch, tmp_path, monkeypatch):
    images = write_cifar10(tmp_path / "raw", monkeypatch)
    options = {"root": str(tmp_path / "raw"), "download": "false"}
    facts = {"size": 32, "n_classes": 10, "n_train": 100}
    out = fetch(dataset="cifar10", options=options, **facts)
    assert (read_dataset(out / "dataset.npz").x_train == images[:100]).all()


def test_other_numbers_than_planned_are_refused(fetch, tmp_path):
    data = write_npz(tmp_path / "mine.npz")
    with pytest.raises(
        AbdError, match=r"mine\.n_train: expected 60 as in the data, got 61"
    ):
        fetch({"data": data}, n_train=61)


def test_bad_data_leave_no_artifact(fetch, tmp_path):
    labels = arrays()["y_train"] + 1
    with pytest.raises(AbdError, match=r"mine\.npz: y_train: expected labels in 0\.\.2"):
        fetch({"data": write_npz(tmp_path / "mine.npz", y_train=labels)})
    assert not (tmp_path / "out").exists()


def test_a_channel_of_one_value_is_named_with_its_file(fetch, tmp_path):
    x = numpy_stream(0, "tests").integers(0, 256, (60, 16, 16, 3)).astype(np.uint8)
    x[..., 2] = 5
    with pytest.raises(AbdError, match=r"mine\.npz: x_train: .* one value in channel 2"):
        fetch({"data": write_npz(tmp_path / "mine.npz", x_train=x)})
