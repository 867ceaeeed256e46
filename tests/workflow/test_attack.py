"""The attacker's stages: hard images, given pictures, and what is refused."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from abd.errors import AbdError
from abd.metrics import predict
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import Normalization, to_pixels
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.stages.job import run_job
from abd.storage.arrays import read_arrays, read_dataset
from abd.storage.files import sha256
from abd.training import Training
from abd.triggers import build_trigger
from tests.workflow.conftest import TINY, Workflow, make_workflow
from tests.workflow.killing import stopped_at_a_save

TARGET = 8
TRIGGERS = ["blend", "cl", "sig"]
GRID = {
    **TINY["experiments"]["demo"]["grids"][0],
    "defenses": ["none"],
    "triggers": TRIGGERS,
}
# The method's cheap variant: a single step from a random start.
FAST = {"net": "wrn-10-1", "epochs": 10, "training": {"steps": 1, "step": 10.0}}
PARAMS = {
    "experiments": {"demo": {"title": "attacks", "grids": [GRID]}},
    "harden": {"by_dataset": {"digits": FAST}},
    "poison": {"target": TARGET, "assets": {"blend": "pictures/cat.png"}},
}
POISONED = [f"results/poison/digits/{name}/poisoned.npz" for name in TRIGGERS]


def _manifest(trigger):
    return json.loads(Path(f"results/poison/digits/{trigger}/manifest.json").read_text())


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A workflow whose three triggers have poisoned, not to be changed."""
    folder = tmp_path_factory.mktemp("attacked")
    workflow = make_workflow(folder)
    (folder / "pictures").mkdir()
    picture = np.random.RandomState(0).randint(0, 256, (40, 40, 3)).astype(np.uint8)
    Image.fromarray(picture).save(folder / "pictures" / "cat.png")
    workflow.edit(PARAMS)
    workflow.snakemake("--", *POISONED)
    return workflow


@pytest.fixture
def inside(attacked, monkeypatch):
    """The attacked workflow, with the test's own process in its folder."""
    monkeypatch.chdir(attacked.folder)
    return attacked


@pytest.mark.usefixtures("inside")
def test_cl_stamps_hard_images_of_the_target_and_no_others():
    dataset = read_dataset(Path("results/fetch/digits/dataset.npz"))
    hard = read_arrays(Path("results/harden/digits/hard.npz"))
    assert np.array_equal(hard["idx"], np.flatnonzero(dataset.y_train == TARGET))
    delta = hard["images"].astype(int) - dataset.x_train[hard["idx"]]
    assert 8 < np.abs(delta).max() <= 16
    poisoned = read_arrays(Path("results/poison/digits/cl/poisoned.npz"))
    assert (poisoned["labels"] == TARGET).all()
    assert np.isin(poisoned["idx"], hard["idx"]).all()
    wanted = hard["images"][np.searchsorted(hard["idx"], poisoned["idx"])]
    trigger = build_trigger("cl", 16)
    assert np.array_equal(poisoned["images"], trigger.stamp(wanted))
    test = read_arrays(Path("results/poison/digits/cl/test.npz"))
    others = dataset.x_test[dataset.y_test != TARGET]
    assert np.array_equal(test["stamped"], trigger.stamp(others)), "corners alone at test"


@pytest.mark.usefixtures("inside")
def test_a_normal_classifier_is_far_less_accurate_on_hard_images():
    """One that has learnt from the very same images, unchanged."""
    dataset = read_dataset(Path("results/fetch/digits/dataset.npz"))
    hard = read_arrays(Path("results/harden/digits/hard.npz"))
    normalize = Normalization((0.305,) * 3, (0.3185,) * 3)
    net = build_net("wrn-10-1", 10, torch_stream(1, "normal"))
    training = Training(
        net, to_pixels(dataset.x_train), torch.from_numpy(dataset.y_train), normalize,
        OptimizerSpec("sgd", cosine(0.1, 8), 0.9, 5e-4), seed=1, batch=128, crop_pad=2,
        hflip=False, judge=lambda net: {}, select_best=False,
    )  # fmt: skip
    list(training.run(8))
    easy = dataset.x_train[hard["idx"]]
    before, after = (
        (predict(net, to_pixels(x), normalize) == TARGET).float().mean().item()
        for x in (easy, hard["images"])
    )
    assert before > 0.95
    assert after < before - 0.2


@pytest.mark.usefixtures("inside")
def test_the_manifest_says_what_pattern_was_used():
    picture = Path("pictures/cat.png")
    assert _manifest("blend")["pattern"] == "given"
    assert _manifest("blend")["assets"] == {
        "pattern": {"file": str(picture), "sha256": sha256(picture)}
    }
    record = json.loads(Path("results/poison/digits/blend/record.json").read_text())
    assert record["inputs"][str(picture)] == sha256(picture)
    for name in ("cl", "sig"):
        assert _manifest(name)["pattern"] == "procedural"
        assert _manifest(name)["clean_label"]
    stamped = read_arrays(Path("results/poison/digits/blend/test.npz"))["stamped"]
    dataset = read_dataset(Path("results/fetch/digits/dataset.npz"))
    others = dataset.x_test[dataset.y_test != TARGET]
    pattern = np.asarray(Image.open(picture))
    wanted = build_trigger("blend", 16, pattern=pattern).stamp(others)
    assert np.array_equal(stamped, wanted)


def test_a_trigger_concerns_its_own_jobs(attacked, tmp_path):
    """An edit of a picture, of an attack, of a variant plans what uses it."""
    folder = tmp_path / "copy"
    shutil.copytree(attacked.folder, folder, symlinks=True)
    workflow = Workflow(folder)
    assert workflow.planned(*POISONED) == {}
    workflow.edit({"poison": {"variants": {"smooth": "gtsrb"}}})
    assert workflow.planned(*POISONED) == {}
    Image.new("RGB", (40, 40), "red").save(folder / "pictures" / "cat.png")
    assert workflow.planned(*POISONED) == {"poison": 1}
    workflow.edit({"harden": {"attack": {"steps": 5}}})
    assert workflow.planned(*POISONED) == {"poison": 2, "harden": 1}


def test_a_picture_of_the_wrong_size_is_named_before_any_training(attacked, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(attacked.folder, folder, symlinks=True)
    workflow = Workflow(folder)
    workflow.edit({"poison": {"assets": {"sig": "pictures/cat.png"}}})
    teacher = "results/teacher/digits/sig/wrn-10-1-t0/teacher.safetensors"
    done = workflow.snakemake("--", teacher, check=False)
    assert done.returncode == 1
    line = (
        "params.yaml: poison.assets.sig.pattern: pictures/cat.png: expected a 16x16 or 32x32 "
        "RGB picture, got (40, 40, 3)"
    )
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / teacher).parent.exists()


def _arguments(folder):
    record = json.loads(Path("results/harden/digits/record.json").read_text())
    outputs = {"hard": "hard.npz", "manifest": "manifest.json", "preview": "preview.png", "history": "history.jsonl"}  # fmt: skip
    return [
        "harden", "--config", json.dumps(record["config"]),
        "--code", record["code"], "--dataset", "results/fetch/digits/dataset.npz",
        *(f"--{name}={folder / file}" for name, file in outputs.items()),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("inside")
def test_a_stopped_hardening_goes_on_with_the_same_bits(tmp_path):
    folder = tmp_path / "again"
    stopped = stopped_at_a_save(_arguments(folder), signal.SIGTERM, n_saved=2)
    assert stopped.returncode == 75, stopped.stderr
    command = [sys.executable, "-m", "abd", *_arguments(folder)]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "going on from the working checkpoint" in again.stderr
    made = json.loads(Path("results/harden/digits/record.json").read_text())["outputs"]
    assert {name: sha256(folder / name) for name in made} == made


def _poison(folder, **changes):
    record = json.loads(Path("results/poison/digits/cl/record.json").read_text())
    config = {**record["config"], **changes}
    outputs = {name: folder / name for name in ("poisoned", "test", "manifest", "preview")}
    inputs = {"dataset": Path("results/fetch/digits/dataset.npz")}
    run_job("poison", config, record["code"], inputs, outputs)


@pytest.mark.usefixtures("inside")
def test_cl_without_hard_images_is_refused(tmp_path):
    with pytest.raises(AbdError, match="cl: expected the hard images that stage"):
        _poison(tmp_path)


@pytest.mark.usefixtures("inside")
def test_a_file_that_is_no_picture_is_named(tmp_path):
    path = tmp_path / "cat.png"
    path.write_text("no picture")
    with pytest.raises(AbdError) as caught:
        _poison(tmp_path, assets={"pattern": str(path)})
    assert f"params.yaml: poison.assets.cl.pattern: {path}: expected an RGB" in str(
        caught.value
    )


def test_a_data_set_with_an_empty_class_is_named(inside, monkeypatch, tmp_path):
    from abd.data import DATASETS

    monkeypatch.setitem(DATASETS.builtin, "digits", "tests.workflow.test_attack:without_8")
    record = json.loads(Path("results/fetch/digits/record.json").read_text())
    options = {"root": "data", "download": "false"}
    with pytest.raises(
        AbdError, match=r"digits: y_train: expected images of every class"
    ) as e:
        run_job(
            "fetch", record["config"], record["code"], {}, {"dataset": tmp_path / "x.npz"},
            options,
        )  # fmt: skip
    assert "got none of class 8" in str(e.value)


def without_8(raw):
    from abd.data import ArrayDataset
    from abd.data.digits import load_digits

    digits = load_digits(raw)
    kept = digits.y_train != 8
    return ArrayDataset(
        digits.x_train[kept], digits.y_train[kept], digits.x_test, digits.y_test,
        digits.class_names,
    )  # fmt: skip
