"""`abd purify` from a file of weights to a student and a verdict."""

import html
import json
import re
import time

import numpy as np
import psutil
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from abd.nets import build_net
from abd.seeding import torch_stream
from tests.runs import can_compile
from tests.workflow.conftest import Workflow

SETTINGS = {
    "patches": {"n": 96},
    "surrogate": {"skip": {"ood": 1}, "warm": {"ood": 4}},
    "vaccine": {"members": 2, "trials": 2},
    "distill": {"ood": {"log_every": 2, "batch": 32, "epochs": 4, "crop_pad": 2}},
    "retrospect": {"rounds": 2, "n_terms": 2, "ood": {"last": 1}},
    "verdict": {"n_images": 64, "n_shown": 3, "draws": 2, "steps": 2},
}


@pytest.fixture
def workplace(tmp_path):
    torch.save(
        build_net("wrn-10-1", 4, torch_stream(0, "t")).state_dict(), tmp_path / "t.pt"
    )
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "test.npz",
        x=rng.integers(0, 256, (20, 16, 16, 3)).astype(np.uint8),
        y=rng.integers(0, 4, 20),
    )
    return Workflow(tmp_path)


def _purify(workplace, *options, **kwargs):
    return workplace.run(
        "abd", "purify", "t.pt", "--arch", "wrn-10-1", "--classes", "4", "--size", "16",
        "--normalize", "0.5,0.5,0.5/0.25,0.25,0.25", "--student", "wrn-10-1",
        "--settings", "settings.yaml", "--out", "clean", *options, **kwargs,
    )  # fmt: skip


def test_from_weights_to_a_student_and_a_verdict(workplace):
    plan = _purify(workplace, "--dry-run")
    assert "verdict" in plan.stdout
    assert not (workplace.folder / "clean").exists()

    suspicion = ("--trigger", "badnet_sq", "--target", "1")
    done = _purify(workplace, "--test", "test.npz", *suspicion, "--cores", "2")
    out = workplace.folder / "clean"
    student = load_file(out / "student.safetensors")
    assert student.keys() == build_net("wrn-10-1", 4).state_dict().keys()
    verdict = json.loads((out / "verdict.json").read_text())
    assert verdict["score"] == pytest.approx(sum(verdict["divergences"]) / 2)
    assert verdict["score"] >= 0
    assert verdict["perturbations"].keys() == {"teacher", "undefended", "purified"}
    assert len(verdict["perturbations"]["teacher"]["flipped_to"]) == 4
    assert 1 <= verdict["classes_seen"] <= 4
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3 + 1 + 3
    assert f"To the teacher they show {verdict['classes_seen']:.1f} of 4 classes" in page
    (history,) = out.glob("work/results/distill/**/plain/history.jsonl")
    at_end = json.loads(history.read_text().splitlines()[-1])["classes"]
    assert f"the student's last ones show {at_end:.1f}." in html.unescape(page)
    assert "Acc: on your labelled images" in page
    assert "(badnet_sq, class 1)" in page
    assert "who knows this trigger would have taken" in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)  # one file, works offline
    card = (out / "README.md").read_text()
    assert "license: unknown" in card
    said = done.stdout.strip().splitlines()[-1]
    assert said in card
    assert not (out / "work/mlflow.db").exists()

    again = _purify(workplace, "--cores", "2")
    assert "start" not in again.stderr
    assert "Acc: on your labelled images" not in (out / "report.html").read_text()


GENERATORS = {
    "zskt": {
        "surrogate": {"skip": {"zskt": 1}, "warm": {"zskt": 3}},
        "distill": {"zskt": {"cycles": 5, "batch": 16, "student_steps": 2}},
        "retrospect": {"rounds": 2, "n_terms": 2, "zskt": {"last": 1}},
    },
    "cmi": {
        "surrogate": {"skip": {"cmi": 1}, "warm": {"cmi": 3}},
        "distill": {
            "cmi": {
                "epochs": 2, "kd_steps": 3, "batch": 16, "bank": 64, "crop_pad": 2,
                "synthesis": {"images": 32, "steps": 3, "n_negatives": 32, "crop_pad": 2},
            }
        },
        "retrospect": {"rounds": 2, "n_terms": 2, "cmi": {"last": 1}},
    },
}  # fmt: skip


@pytest.mark.parametrize("source", GENERATORS)
def test_a_generator_makes_the_images_where_no_photograph_is_given(source, workplace):
    settings = {**SETTINGS, **GENERATORS[source]}
    del settings["patches"]
    (workplace.folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    compiles = source == "zskt" and can_compile()
    cache = workplace.folder / "compiled"
    options = ["--compile"] if compiles else []
    one_class = source == "zskt"
    if one_class:  # as if the generator had fallen into it
        weights = build_net("wrn-10-1", 4, torch_stream(0, "t")).state_dict()
        weights["linear.bias"][1] = 50.0
        torch.save(weights, workplace.folder / "t.pt")
    done = _purify(
        workplace,
        "--source",
        source,
        "--cores",
        "2",
        *options,
        TORCHINDUCTOR_CACHE_DIR=str(cache),
    )
    out = workplace.folder / "clean"
    assert (out / "student.safetensors").is_file()
    (log,) = out.glob("work/logs/distill/**/plain.log")
    assert ("is compiled" in log.read_text()) is compiles
    assert cache.exists() is compiles
    assert not (out / "work/results/patches").exists()
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3 + 1 + 3
    assert f"<dt>surrogate images</dt><dd>{source}</dd>" in page
    warning = "Do not rely on this verdict and the student"
    for text in (page, (out / "README.md").read_text(), done.stdout):
        assert (warning in text) is one_class


def test_bad_teachers_are_refused_in_one_line(workplace):
    dead = build_net("wrn-10-1", 4, torch_stream(0, "t")).state_dict()
    dead["linear.weight"].zero_()
    torch.save(dead, workplace.folder / "t.pt")
    done = _purify(workplace, "--cores", "2", check=False)
    assert done.returncode == 1
    assert "expected a teacher whose answer depends on the image" in done.stderr
    assert "Traceback" not in done.stderr
    del dead["linear.bias"]
    dead["extra"] = torch.zeros(2)
    torch.save(dead, workplace.folder / "t.pt")
    done = _purify(workplace, "--cores", "2", check=False)
    assert "extra extra, linear.bias missing" in done.stderr


def test_nobody_s_files_are_written_over(workplace):
    (workplace.folder / "clean").mkdir()
    (workplace.folder / "clean/README.md").write_text("mine")
    done = _purify(workplace, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "abd: error: --out: expected a new folder, or one of abd purify's, got clean with "
        "other files in it\n"
    )
    assert (workplace.folder / "clean/README.md").read_text() == "mine"


def test_killed_it_goes_on_and_two_at_once_are_told_apart(workplace):
    command = _purify(workplace, "--dry-run").args[:-1]
    first = workplace.start(*command, "--cores", "1")
    work = workplace.folder / "clean/work"
    while not (work / "results/teacher").is_dir():
        assert first.poll() is None
        time.sleep(0.1)
    second = _purify(workplace, "--seed", "1", check=False)
    assert second.returncode == 1
    assert second.stderr.startswith("abd: error: --out: another abd purify works in clean")
    assert "seeds:\n      - 0\n" in (work / "params.yaml").read_text()
    for process in [*psutil.Process(first.pid).children(recursive=True), first]:
        process.kill()
    first.communicate()
    _purify(workplace, "--cores", "2")
    assert (workplace.folder / "clean/student.safetensors").is_file()


def test_asked_to_end_it_ends_and_says_so(workplace):
    command = _purify(workplace, "--dry-run").args[:-1]
    running = workplace.start(*command, "--cores", "1")
    while not (workplace.folder / "clean/work/results/teacher").is_dir():
        assert running.poll() is None
        time.sleep(0.1)
    running.terminate()
    _, said = running.communicate(timeout=120)
    assert said.strip().endswith("stopped; the same command goes on from there")
    assert running.returncode == 75


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cores", "0"], "expected a number, at least 1, got 0"),
        (["--out", ""], "expected a folder, got nothing"),
        (["--profile", "x" * 300], "--profile: expected a folder with a config.yaml"),
        (["--image", "{x}.png"], "expected a path without { and }"),
        (["--image", "t.pt"], "t.pt: expected china or flower, or a readable image file"),
        (["--image", "small.png"], "small.png"),
        (["--test", "settings.yaml"], "settings.yaml: "),
        (["--classes", "5"], "linear.bias (4,) instead of (5,)"),
    ],
)
def test_what_is_given_is_looked_into_before_anything_starts(options, message, workplace):
    Image.new("RGB", (3, 3)).save(workplace.folder / "small.png")
    Image.effect_noise((64, 64), 50).save(workplace.folder / "{x}.png")
    done = _purify(workplace, "--dry-run", *options, check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (workplace.folder / "clean").exists()
