"""What `abd purify` makes of its command line, and what it refuses, in one line each."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from abd.config.given import given_names
from abd.config.jobs import job_spec
from abd.config.plan import make_plan
from abd.config.stage_jobs import stage_jobs
from abd.errors import AbdError
from abd.nets import build_net
from abd.nets.names import split_arguments
from abd.pixels import Normalization
from abd.purify.labelled import read_labelled
from abd.purify.options import EXPERIMENT, Options, own_settings, params_of
from abd.purify.wording import in_options
from abd.seeding import torch_stream

STUDY = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text("utf-8"))


@pytest.fixture
def options(tmp_path):
    teacher = tmp_path / "teacher.pt"
    torch.save(build_net("wrn-10-1", 4, torch_stream(0, "t")).state_dict(), teacher)
    return Options(
        teacher=teacher, arch="wrn-16-2", arch_args=None, classes=10, size=32,
        normalize="cifar10", student="wrn-16-1", student_args=None, source="ood",
        images=["flower"], test=None, trigger=None, target=None, out=tmp_path / "clean", like=None, settings=None,
        budget=1.0, device="cpu", dtype="float32", compile=False, threads=1, seed=3,
    )  # fmt: skip


@pytest.mark.parametrize("source", ["ood", "zskt", "cmi"])
def test_it_is_a_plan_of_the_study_s_stages_without_any_data(options, source):
    options = replace(options, source=source)
    plan = make_plan(params_of(options, STUDY), build_networks=True)
    (cell,) = plan.wanted(EXPERIMENT)
    assert cell == options.cell()
    stages = [job.stage for job in stage_jobs(cell)]
    needed = {"admit", "surrogate", "vaccine", "distill", "retrospect", "verdict"}
    assert set(stages) == needed | ({"patches"} if source == "ood" else set())
    settings = plan.settings[cell.dataset]
    assert settings.fetch.mean == tuple(STUDY["fetch"]["by_dataset"]["cifar10"]["mean"])
    assert settings.patches.photos == ["flower"]
    assert plan.studies(plan.top.run) == []


def test_settings_may_be_those_of_a_data_set(options):
    base, like = (
        make_plan(params_of(replace(options, like=name), STUDY)).settings["given"]
        for name in (None, "digits")
    )
    epochs = STUDY["distill"]["by_dataset"]["digits"]["ood"]["epochs"]
    assert like.distill.of("ood").epochs == epochs != base.distill.of("ood").epochs


def test_numbers_normalise(options):
    text = "0.1,0.2,0.3/0.4, 0.5,0.6"
    own = params_of(replace(options, normalize=text), STUDY)["fetch"]["by_dataset"]["given"]
    assert (own["mean"], own["std"]) == ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": Path("none.pt")}, "none.pt: expected a file of weights, got none"),
        ({"size": 8}, "--size: expected 16 to 224, got 8"),
        ({"classes": 1}, "--classes: expected 2 to 1000000, got 1"),
        ({"classes": 10**9}, "--classes: expected 2 to 1000000, got 1000000000"),
        (
            {"normalize": "imagenot"},
            "--normalize: expected one of .*cifar10.*, or mean/std",
        ),
        ({"normalize": "1,2/3,4"}, "--normalize: expected one of"),
        ({"like": "mnist"}, "--like: expected one of .*, got mnist"),
        ({"arch_args": "{}"}, "--arch-args: expected none for wrn-16-2"),
        (
            {"arch": "a:B", "arch_args": "[1"},
            "--arch-args: expected a JSON object of numbers",
        ),
        ({"arch": "a:B", "arch_args": '{"x": "a/b"}'}, "expected a JSON object of numbers"),
        ({"student": "a:B", "student_args": "7"}, "--student-args: expected a JSON object"),
    ],
)
def test_options_that_are_none_are_named(options, changes, message):
    with pytest.raises(AbdError, match=message):
        params_of(replace(options, **changes), STUDY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch": "wrn-17-2"}, "--arch: network: expected"),
        ({"images": ["nowhere.jpg"]}, "--image: expected china or flower, or a file"),
        ({"budget": 0.0}, "--budget: expected"),
        ({"device": "tpu"}, "--device: expected"),
        ({"threads": 0}, "--threads: expected"),
        ({"seed": -1}, "--seed: expected"),
        ({"normalize": "0,0,0/1,0,1"}, "--normalize: expected greater than 0, got 0"),
        ({"student": "nowhere.nets:Net"}, "--student: network: expected an importable"),
    ],
)
def test_planning_finds_the_rest_and_names_the_option(options, changes, message):
    with pytest.raises(AbdError, match=message) as caught, in_options():
        make_plan(params_of(replace(options, **changes), STUDY), build_networks=True)
    head, _ = str(caught.value).split("\n")
    assert head == "purify: 1 problem(s); nothing was started"


def test_of_settings_it_names_the_key(options):
    own = {"retrospect": {"rounds": -1}}
    with pytest.raises(AbdError) as caught, in_options():
        make_plan(params_of(options, STUDY, own))
    assert str(caught.value).endswith(
        "got -1 (a key of params.yaml: --settings, or --budget where rounds are few)"
    )


@pytest.mark.parametrize("body", ["raise ValueError('no such\\ndepth')", "sys.exit(3)"])
@pytest.mark.parametrize("where", ["module", "class"])
def test_networks_that_fail_are_named(where, body, options, tmp_path, monkeypatch):
    name = f"fails_{where}_{len(body)}"
    code = f"import sys\nclass Net:\n  def __init__(self, n_classes):\n    {body}\n"
    (tmp_path / f"{name}.py").write_text(
        f"import sys\n{body}" if where == "module" else code
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with (
        pytest.raises(AbdError, match=f"--student: network.*{name}") as caught,
        in_options(),
    ):
        make_plan(
            params_of(replace(options, student=f"{name}:Net"), STUDY), build_networks=True
        )
    assert str(caught.value).count("\n") == 1


def test_a_queue_is_no_file_of_settings(tmp_path):
    os.mkfifo(tmp_path / "queue")
    with pytest.raises(AbdError, match="--settings: expected a YAML file, got none at"):
        own_settings(tmp_path / "queue")


@pytest.fixture
def labelled(options, tmp_path):
    """Options with twenty labelled images, five of each class."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    np.savez(tmp_path / "test.npz", x=x, y=np.arange(20) % 4)
    return replace(options, classes=4, test=tmp_path / "test.npz", target=1)


def test_a_suspected_trigger_goes_on_images_of_other_classes(labelled):
    given = read_labelled(replace(labelled, trigger="badnet_sq"))
    assert given.stamped.shape == (15, 32, 32, 3)
    assert (given.stamped[:, 27:31, 27:31] == 255).all()

    class Target(torch.nn.Module):
        def forward(self, x):  # class 1 where the square is, else class 0
            square = (x[:, :, 27:31, 27:31] > 0.99).flatten(1).all(dim=1)
            return torch.nn.functional.one_hot(square.long(), 4).float()

    known = given.measure(Target(), Normalization((0.0,) * 3, (1.0,) * 3))
    assert known.asr == 1.0
    assert known.acc == 0.25


def test_a_suspected_trigger_may_be_a_picture(labelled, tmp_path):
    picture = np.zeros((32, 32, 4), np.uint8)
    picture[:4, :4] = 200, 0, 0, 255
    picture[4:8, :4] = 200, 0, 0, 51
    Image.fromarray(picture).save(tmp_path / "trigger.png")
    given = read_labelled(replace(labelled, trigger=str(tmp_path / "trigger.png")))
    others = given.images[given.labels != 1]
    assert (given.stamped[:, :4, :4] == (200, 0, 0)).all()
    mixed = 0.8 * others[:, 4:8, :4] + 0.2 * np.array([200, 0, 0])
    assert np.abs(given.stamped[:, 4:8, :4] - mixed).max() <= 1
    assert (given.stamped[:, 8:] == others[:, 8:]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trigger": "nowhere.png"}, "--trigger: expected one of badnet_grid.*a picture"),
        ({"trigger": "opaque.png"}, "opaque.png: expected a picture with transparency"),
        ({"trigger": "small.png"}, "small.png: expected 32 x 32 pixels"),
        ({"trigger": "nothing.png"}, "nothing.png: expected a pattern"),
    ],
)
def test_pictures_that_are_no_trigger_are_named(
    labelled, changes, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("opaque.png")
    Image.new("RGBA", (8, 8), (9, 9, 9, 255)).save("small.png")
    Image.new("RGBA", (32, 32)).save("nothing.png")
    with pytest.raises(AbdError, match=message):
        read_labelled(replace(labelled, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trigger": "badnet_sq", "target": None}, "expected both or neither"),
        ({"trigger": "badnet_sq", "test": None}, "expected labelled images to stamp"),
        (
            {"trigger": "badnet_sq", "target": 4},
            r"--target: expected a class, 0\.\.3, got 4",
        ),
    ],
)
def test_a_suspicion_is_whole(labelled, changes, message):
    with pytest.raises(AbdError, match=message):
        params_of(replace(labelled, **changes), STUDY)


def test_networks_take_arguments(tmp_path, monkeypatch):
    module = tmp_path / "my_nets.py"
    module.write_text(
        "from torch import nn\n"
        "def make(num_classes, width=1, bias=True):\n"
        "    return nn.Linear(width, num_classes, bias=bias)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    net = build_net("my_nets:make(width=3;bias=False)", 5)
    assert net.weight.shape == (5, 3)
    assert net.bias is None
    for name in ("my_nets:make(depth=3)", "my_nets:make(num_classes=3)"):
        with pytest.raises(AbdError, match="expected arguments out of"):
            build_net(name, 5)


@pytest.mark.parametrize(
    "name", ["a:B(", "a:B(3)", "a:B(x=__import__('os'))", "a:B(x=1)+1"]
)
def test_arguments_are_values(name):
    with pytest.raises(AbdError, match=r"expected package\.module:Class"):
        split_arguments(name)


def test_a_teacher_that_is_trained_has_a_trigger_and_one_that_is_given_has_none(options):
    params = params_of(options, STUDY)
    (grid,) = params["experiments"][EXPERIMENT]["grids"]
    grid["triggers"] = ["badnet_sq"]
    with pytest.raises(AbdError, match="expected unknown for a teacher that is given"):
        make_plan(params)
    grid["triggers"] = ["badnet_sq", "unknown"]
    with pytest.raises(AbdError, match="expected triggers, or unknown in all of them"):
        make_plan(params)
    grid |= {"triggers": ["unknown"], "dataset": "digits"}
    study = {**STUDY, "run": [EXPERIMENT], "experiments": params["experiments"]}
    with pytest.raises(AbdError, match=r"the teacher's file at teacher\.by_dataset\.dig"):
        make_plan(study)


def test_settings_are_laid_over_those_of_a_data_set(options, tmp_path):
    options = replace(options, like="digits", settings=tmp_path / "own.yaml")
    options.settings.write_text(
        "distill: {ood: {epochs: 77}}\npatches: {photos: [street.jpg, china]}\n"
    )
    params = params_of(options, STUDY, own_settings(options.settings))
    assert params["distill"]["ood"]["epochs"] == 77
    assert params["patches"]["photos"] == ["flower"]  # the command line's
    params = params_of(replace(options, images=[]), STUDY, own_settings(options.settings))
    assert params["patches"]["photos"] == [str(tmp_path / "street.jpg"), "china"]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"run": ["demo"]}, "--settings: expected sections of stages, .*, got run"),
        ({"numerics": {"threads": 3}}, "got numerics"),
        ({"fetch": 3}, "--settings: fetch: expected its keys"),
        ({"fetch": {"by_dataset": None}}, "without by_dataset"),
    ],
)
def test_settings_are_sections_of_stages(options, own, message):
    with pytest.raises(AbdError, match=message):
        params_of(options, STUDY, own)


def test_another_file_in_place_of_the_teacher_s_is_another_job(options):
    def told():
        plan = make_plan(params_of(replace(options, arch="wrn-10-1"), STUDY))
        (cell,) = plan.wanted(EXPERIMENT)
        jobs = {job.stage: job for job in stage_jobs(cell)}
        return job_spec(plan, "admit", jobs["admit"].wildcards)

    before = told()
    assert told() == before
    times = options.teacher.stat()
    torch.save(build_net("wrn-10-1", 4, torch_stream(1, "t")).state_dict(), options.teacher)
    os.utime(options.teacher, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert told() != before


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_names_of_given_teachers_are_parts_of_paths(name):
    raw = {"teacher": {"by_dataset": {name: {"weights": "t.pt"}, "good": {"weights": "t"}}}}
    assert given_names(raw) == ["good"]
