"""The rule of the paper on a finished workflow: what it decides, on what, and says of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from abd.metrics import predict
from abd.nets import build_net
from abd.pixels import Normalization, to_pixels
from abd.stages.job import run_job
from abd.storage.checkpoints import read_net
from abd.storage.results import read_curve
from tests.workflow.test_demo import KEY, LAST

PLAIN = Path(f"results/distill/{KEY}/plain")
SEARCHED = Path(f"results/distill/{KEY}/searched")
ENDED = Path(f"results/retrospect/{KEY}/abd")
SR = ENDED.with_name("sr")
STUDENT = "student.safetensors"
# With nothing to exceed, the first draw is a vaccine.
FOUND = {"threshold": 0.0, "n_sigmas": 0.5}
# Limits that force an outcome: every drop is below 1 and above -1.
LIMITS = {
    "sv": {"sr_below": -1.0, "sv_restart_drop": 1.0},
    "sv_sr": {"sr_below": 1.0, "sv_restart_drop": 1.0},
    "sr": {"sr_below": -1.0, "sv_restart_drop": -1.0},
}


NAMES = {  # inputs by the file that each option takes
    "teacher.safetensors": "teacher", "patches.npz": "pool", "test.npz": "monitor",
    "lambda.safetensors": "state", STUDENT: "final", "vaccine.json": "vaccine",
    "permutations.safetensors": "permutations", "labelled.npz": "labelled",
}  # fmt: skip
OF_PLAIN = {
    "lambda.safetensors": "plain_state", STUDENT: "plain_student",
    "history.jsonl": "plain_history",
}  # fmt: skip


OUTPUTS = {"student": STUDENT, "history": "history.jsonl", "decision": "decision.json"}


@pytest.fixture
def labelled(inside):
    """Images and labels that the operator names, as a file; none of the test set."""
    with np.load("results/fetch/digits/dataset.npz") as data:
        x, y = data["x_train"][:200], data["y_train"][:200]
    np.savez("labelled.npz", x=x, y=y)
    return x, y


def _record(folder):
    return json.loads((folder / "record.json").read_text())


def _decision(folder):
    return json.loads((folder / "decision.json").read_text())


def _again(folder, without=(), **config):
    """Run the job of `abd` once more with another config; return its record."""
    record = _record(ENDED)
    inputs = {}
    for path in map(Path, record["inputs"]):
        plain = path.parent == PLAIN
        inputs[OF_PLAIN[path.name] if plain else NAMES[path.name]] = path
    inputs = {name: path for name, path in inputs.items() if name not in without}
    outputs = {name: folder / file for name, file in OUTPUTS.items()}
    run_job("retrospect", {**record["config"], **config}, record["code"], inputs, outputs)
    return {**_record(folder), "decision": _decision(folder)}


def _curve(*folders):
    return read_curve(folder / "history.jsonl" for folder in folders)


def _accuracy(folder, x, y):
    """The share of right answers, counted anew."""
    images = _record(ENDED)["config"]["images"]
    net = build_net("wrn-10-1", images["n_classes"])
    read_net(folder / STUDENT, net)
    normalize = Normalization(tuple(images["mean"]), tuple(images["std"]))
    answers = predict(net, to_pixels(x), normalize)
    return float((answers == torch.from_numpy(y)).double().mean())


def test_a_vaccine_that_was_found_is_judged_by_its_price(inside, labelled, tmp_path):
    """All three outcomes: a restart by the whole DAG, the others by its last job."""
    rule = {"rule": "paper", "labelled": "labelled.npz", **LIMITS["sr"]}
    inside.edit({"vaccine": FOUND, "retrospect": rule})
    inside.snakemake("--", "reports/summary.json", str(SR / STUDENT))
    restarted = {**_record(ENDED), "decision": _decision(ENDED)}
    assert "labelled.npz" in restarted["inputs"]
    kept = _again(tmp_path / "sv", paper=LIMITS["sv"])
    more = _again(tmp_path / "sv_sr", paper=LIMITS["sv_sr"])
    forced = _again(tmp_path / "forced", paper=LIMITS["sv"], force=True)

    ends = {"sv": kept, "sv_sr": more, "sr": restarted}
    for outcome, record in ends.items():
        assert record["decision"] == {
            "rule": "paper",
            "found": True,
            "outcome": outcome,
            "acc_plain": pytest.approx(_accuracy(PLAIN, *labelled)),
            "acc_vaccinated": pytest.approx(_accuracy(SEARCHED, *labelled)),
            "drop": pytest.approx(
                _accuracy(PLAIN, *labelled) - _accuracy(SEARCHED, *labelled)
            ),
            "n_labelled": 200,
        }
    assert [r["facts"]["rounds"] for r in ends.values()] == [0, LAST, LAST]
    assert kept["outputs"][STUDENT] == _record(SEARCHED)["outputs"][STUDENT]
    assert len({r["outputs"][STUDENT] for r in ends.values()}) == 3
    assert forced["outputs"] == more["outputs"], "SR, asked for one way or the other"

    # A restart is plain distillation with SR: the very student of `sr`, and its curve.
    assert restarted["outputs"][STUDENT] == _record(SR)["outputs"][STUDENT]
    assert _curve(SEARCHED, ENDED) == _curve(PLAIN, SR)

    summary = json.loads(Path("reports/summary.json").read_text())
    assert [r["decision"] for r in summary] == [None, restarted["decision"]]
    shown = " ".join(inside.run("abd", "show").stdout.split())
    assert "points of Acc: restarted without it" in shown


def test_without_a_vaccine_nothing_is_measured(inside, tmp_path):
    """No image is looked at, and the student is that of the rule without data."""
    record = _again(tmp_path / "again", paper=LIMITS["sv"])
    for name in (STUDENT, "history.jsonl"):
        assert record["outputs"][name] == _record(ENDED)["outputs"][name]
    decision = record["decision"]
    assert (decision["rule"], decision["outcome"]) == ("paper", "sr")
    assert decision["drop"] is decision["n_labelled"] is None


def test_labelled_folders_are_an_input(inside, labelled):
    """A file more decides anew, a touch does not."""
    folder, (x, y) = Path("labelled"), labelled
    for k in range(10):
        (folder / str(k)).mkdir(parents=True)
        Image.fromarray(x[np.argmax(y == k)]).save(folder / f"{k}/0.png")
    inside.edit({"retrospect": {"rule": "paper", "labelled": "labelled"}})
    student = str(ENDED / STUDENT)
    inside.snakemake("--", student)
    folder.touch()
    assert inside.planned(student) == {}
    Image.fromarray(x[0]).save(folder / f"{y[0]}/1.png")
    assert inside.planned(student) == {"retrospect_abd": 1}


def test_the_rule_without_data_takes_none(inside, labelled):
    limits = {"sr_below": 0.0, "sv_restart_drop": 0.5, "labelled": "labelled.npz"}
    inside.edit({"retrospect": limits})
    assert inside.planned() == {}
