"""A user's own data through the whole DAG: found facts, edits, faults."""

import json
import shutil

import numpy as np
import pytest

from tests.raw_data import arrays, write_folders, write_npz

GRID = {
    "dataset": "mine",
    "triggers": ["badnet_sq"],
    "teacher": "wrn-10-1",
    "student": "wrn-10-1",
    "sources": ["clean"],
    "defenses": ["none"],
    "teacher_seed": 0,
    "seeds": [0],
}
KEY = "mine/badnet_sq/wrn-10-1-t0"


def _use(workflow, path):
    """Let the demo run on the data at `path`, of which params.yaml says nothing else."""
    clean = {"log_every": 2, "eval_every": 4, "batch": 16, "epochs": 8}
    workflow.edit(
        {
            "experiments": {"demo": {"grids": [GRID]}},
            "fetch": {"by_dataset": {"mine": {"path": path}}},
            "teacher": {"by_dataset": {"mine": {"epochs": 1}}},
            "surrogate": {"by_dataset": {"mine": {"warm": {"clean": 4}}}},
            "distill": {"by_dataset": {"mine": {"clean": clean}}},
            "retrospect": {"by_dataset": {"mine": {"clean": {"last": 1}}}},
        }
    )


@pytest.fixture
def own(workflow):
    """The workflow on a file whose training images are sorted by class."""
    made = arrays(n_train=200, n_test=30)
    order = np.argsort(made["y_train"], kind="stable")
    sorted_train = {name: made[name][order] for name in ("x_train", "y_train")}
    write_npz(workflow.folder / "mine.npz", **{**made, **sorted_train})
    _use(workflow, "mine.npz")
    return workflow


def test_a_teacher_is_trained_on_a_file(own):
    weights = f"results/teacher/{KEY}/teacher.safetensors"
    own.snakemake("--", weights)
    fetched = own.folder / "results/fetch/mine"
    facts = json.loads((fetched / "record.json").read_text())
    assert facts["facts"] == {"shuffled": ["train"]}
    assert list(facts["inputs"]) == ["mine.npz"]
    with np.load(fetched / "dataset.npz") as archive:
        assert len(np.unique(archive["y_train"][:40])) == 3
    teacher = own.folder / f"results/teacher/{KEY}/record.json"
    assert "results/fetch/mine/statistics.json" in json.loads(teacher.read_text())["inputs"]

    (own.folder / "mine.npz").touch()
    own.edit({"fetch": {"root": "elsewhere", "download": False}})
    assert own.planned(weights) == {}
    found = json.loads((fetched / "statistics.json").read_text())
    own.edit({"fetch": {"by_dataset": {"mine": found}}})
    planned = own.planned(weights)
    assert planned["teacher"] == 1, "a normalisation that is given is another input"
    assert not {"fetch", "poison"} & planned.keys()
    write_npz(own.folder / "mine.npz", **arrays(n_train=200, n_test=24))
    assert {"fetch", "poison", "teacher"} <= own.planned(weights).keys()


def test_folders_are_fetched_again_when_a_file_comes_or_goes(workflow):
    root = write_folders(workflow.folder / "mine", counts=(80, 2))
    _use(workflow, "mine")
    target = "results/fetch/mine/dataset.npz"
    workflow.snakemake(target, check=False)
    assert (workflow.folder / target).is_file()
    root.touch()
    (root / "train/cat/0.png").touch()
    assert workflow.planned(target) == {}
    shutil.copy(root / "train/cat/0.png", root / "train/cat/new.png")
    assert workflow.planned(target) == {"fetch": 1}
