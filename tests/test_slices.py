"""Slices of params: those that are planned pass, those written by hand are checked."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from abd.cli import main
from abd.config import make_plan
from abd.config.jobs import job_spec
from abd.config.sections import merge
from abd.config.slices import read_slice
from abd.errors import AbdError
from abd.stages import STAGES

PARAMS = Path(__file__).parents[1] / "params.yaml"
GRID = {
    "dataset": "mine",
    "triggers": ["unknown"],
    "teacher": "wrn-16-2",
    "student": "wrn-16-1",
    "sources": ["ood"],
    "defenses": ["abd"],
    "teacher_seed": 0,
    "seeds": [0],
}
IMAGES = {"size": 32, "n_classes": 10, "n_train": 0, "mean": [0.5] * 3, "std": [0.2] * 3}
GIVEN = {
    "run": ["mine"],
    "experiments": {"mine": {"title": "A teacher from a file", "grids": [GRID]}},
    "fetch": {"by_dataset": {"mine": IMAGES}},
}
NUMBER = "expected a valid integer"


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """Every slice that the study plans, as (stage, JSON), with the vaccine kept in SR."""
    raw = merge(yaml.safe_load(PARAMS.read_text()), {"retrospect": {"sv": True}})
    plan = make_plan({**raw, "run": ["demo", "sources", "table4", "gtsrb"]})
    made = {}
    for cell in plan.wanted():
        wildcards = {**{k: str(v) for k, v in asdict(cell).items()}, "guard": cell.guard}
        for stage in STAGES:
            if stage == "admit":  # of a teacher that is given, below
                continue
            if stage == "evaluate":
                del wildcards["guard"]
            if stage != "retrospect" or cell.defense in ("sr", "sv_sr", "abd"):
                made[stage, job_spec(plan, stage, wildcards).config] = None
    weights = tmp_path_factory.mktemp("given") / "teacher.pt"
    weights.touch()
    own = {"weights": str(weights)}
    given = make_plan(merge(raw, {**GIVEN, "teacher": {"by_dataset": {"mine": own}}}))
    (cell,) = given.wanted()
    wildcards = {k: str(v) for k, v in asdict(cell).items()}
    made["admit", job_spec(given, "admit", wildcards).config] = None
    return list(made)


@pytest.fixture
def teacher(slices):
    return json.loads(next(text for stage, text in slices if stage == "teacher"))


def _lines(stage, config):
    text = config if isinstance(config, str) else json.dumps(config)
    with pytest.raises(AbdError) as caught:
        read_slice(stage, text)
    return [line.strip() for line in str(caught.value).splitlines()]


def test_every_planned_slice_passes_as_it_is(slices):
    assert {stage for stage, _ in slices} == set(STAGES)
    for stage, text in slices:
        assert read_slice(stage, text) == json.loads(text)


def test_every_key_of_a_planned_slice_is_needed(slices):
    """But for what only some jobs are told."""
    optional = {"listing", "force", "guard", "vaccine"}
    for stage, text in dict(slices).items():
        for key in json.loads(text).keys() - optional:
            config = json.loads(text)
            del config[key]
            assert _lines(stage, config)[1:] == [f"{key}: expected a value, got nothing"]


@pytest.mark.parametrize("value", ["0", 1.5, 1.0, None, [0]])
def test_a_seed_is_a_whole_number(teacher, value):
    _, line = _lines("teacher", {**teacher, "seed": value})
    got = "nothing" if value is None else repr(value)
    assert line == f"seed: {NUMBER}, got {got}"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("seed", True, "seed: expected a number, got True"),
        ("seed", 2**63, "seed: expected less than or equal to 9223372036854775807, got 9223372036854775808"),
        ("bogus", 3, "bogus: expected no such key, got 3"),
        ("images", "x", "images: expected an object, got 'x'"),
        ("net", 3, "net: expected a valid string, got 3"),
        ("members", [{"module": "abd.nope"}], "members.0.module: expected a module of abd, got 'abd.nope'"),
        ("members", [{}], "members.0.module: expected a value, got nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(teacher, key, value, line):
    assert _lines("teacher", {**teacher, key: value})[1:] == [line]


def test_everything_wrong_is_named_at_once(teacher):
    head, *lines = _lines("teacher", {**teacher, "seed": "0", "net": 3, "bogus": 1})
    assert head == "teacher: --config: 3 problem(s); nothing was started"
    assert [line.split(":")[0] for line in lines] == ["net", "seed", "bogus"]


def test_a_job_with_a_vaccine_is_told_of_it(slices):
    config = next(json.loads(t) for s, t in slices if s == "distill" and '"first"' in t)
    del config["vaccine"], config["vaccine_guard"]
    assert _lines("distill", config)[1:] == [
        "vaccine_guard: expected a value, got nothing",
        "vaccine: expected a value, got nothing",
    ]


def test_a_sources_settings_are_its_own(slices):
    config = next(json.loads(t) for s, t in slices if s == "surrogate" and '"ood"' in t)
    config["settings"]["nz"] = 3
    assert _lines("surrogate", config)[1:] == ["settings.nz: expected no such key, got 3"]


@pytest.mark.parametrize(
    "text", ["{", "", "[1]", "nope", "[" * 100_000, "1" * 5000, '"\\ud800"']
)
def test_what_is_no_json_is_one_line(text):
    (line,) = _lines("fetch", text)
    assert line.startswith("--config: expected a slice of params as JSON, got ")
    assert len(line) < 300


def test_a_key_that_stands_there_twice(teacher):
    text = json.dumps(teacher)[:-1] + ', "seed": 1}'
    assert _lines("teacher", text)[1:] == ["seed: expected once, got 2 times"]


def test_the_command_says_so_before_it_looks_at_the_code(capsys):
    files = ["--dataset", "a", "--statistics", "b", "--root", "c", "--download", "true"]
    assert main(["fetch", "--config", "{}", "--code", "x", *files]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "abd: error: fetch: --config: 3 problem(s); nothing was started",
        "  members: expected a value, got nothing",
        "  dataset: expected a value, got nothing",
        "  fetch: expected a value, got nothing",
    ]
