import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from abd.config import Cell, load_plan, make_plan
from abd.config.budget import scale
from abd.config.jobs import job_spec
from abd.config.paths import history_paths, photo_files, stage_files, student_path
from abd.config.sections import merge
from abd.errors import AbdError

PARAMS = Path(__file__).parents[1] / "params.yaml"
CELL = Cell("digits", "badnet_sq", "wrn-16-2", 0, "ood", "wrn-16-1", 0, "abd")
WILDCARDS = {
    "dataset": "digits", "trigger": "badnet_sq", "teacher": "wrn-16-2", "teacher_seed": "0",
    "source": "ood", "student": "wrn-16-1", "seed": "0",
}  # fmt: skip
JOBS = {
    "fetch": {"dataset": "digits"},
    "patches": {"dataset": "digits"},
    "poison": {"dataset": "digits", "trigger": "badnet_sq"},
    "teacher": {k: WILDCARDS[k] for k in ("dataset", "trigger", "teacher", "teacher_seed")},
    "surrogate": WILDCARDS,
    "vaccine": WILDCARDS,
    "distill": {**WILDCARDS, "guard": "searched"},
    "retrospect": {**WILDCARDS, "defense": "abd"},
    "score": WILDCARDS,
    "evaluate": {**WILDCARDS, "defense": "abd"},
}


@pytest.fixture
def raw():
    return yaml.safe_load(PARAMS.read_text())


def _changed(raw, changes):
    """The stages whose jobs a change of the params concerns."""
    before, after = make_plan(raw), make_plan(merge(raw, changes))
    return {
        stage
        for stage, wildcards in JOBS.items()
        if job_spec(before, stage, wildcards) != job_spec(after, stage, wildcards)
    }


def test_params_are_valid(raw):
    plan = make_plan(raw)
    assert CELL in plan.wanted("demo")
    assert plan.wanted() == plan.wanted("demo")


LEARNING = {"teacher", "surrogate", "vaccine", "distill", "retrospect", "score", "evaluate"}


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"retrospect": {"rounds": 3}}, {"retrospect"}),
        (
            {"retrospect": {"by_dataset": {"digits": {"ood": {"weight": 2.0}}}}},
            {"retrospect"},
        ),
        ({"retrospect": {"clean": {"weight": 9.0}}}, set()),
        (
            {"retrospect": {"by_dataset": {"digits": {"ood": {"last": 2}}}}},
            {"distill", "retrospect"},
        ),
        ({"vaccine": {"threshold": 0.5}}, {"vaccine"}),
        ({"vaccine": {"direction": "shuffled"}}, {"vaccine", "score"}),
        ({"distill": {"guard": {"suspicious_weight": 0.5}}}, {"distill"}),
        (
            {"distill": {"by_dataset": {"digits": {"ood": {"eval_every": 77}}}}},
            {"distill", "retrospect"},
        ),
        ({"distill": {"ood": {"tau": 4.0}}}, {"surrogate", "distill", "retrospect"}),
        ({"distill": {"clean": {"tau": 4.0}}}, set()),
        ({"surrogate": {"skip": {"ood": 5}}}, {"surrogate"}),
        ({"surrogate": {"warm": {"clean": 50}}}, set()),
        ({"teacher": {"lr": 0.2}}, {"teacher"}),
        ({"poison": {"rate": 0.2}}, {"poison"}),
        ({"patches": {"seed": 1}}, {"patches"}),
        ({"numerics": {"threads": 2}}, LEARNING),
        ({"experiments": {"demo": {"title": "x"}}}, set()),
    ],
)
def test_an_edit_concerns_only_its_stages(raw, changes, stages):
    assert _changed(raw, changes) == stages


def test_plain_distillation_does_not_know_the_vaccine(raw):
    plans = [
        make_plan(merge(raw, {"distill": {"guard": {"suspicious_weight": w}}}))
        for w in (0.1, 0.5)
    ]
    by_guard = {
        guard: [job_spec(p, "distill", {**WILDCARDS, "guard": guard}) for p in plans]
        for guard in ("plain", "first", "searched")
    }
    assert by_guard["plain"][0] == by_guard["plain"][1]
    assert by_guard["first"][0] != by_guard["first"][1]


def test_overrides_count_for_their_data_set(raw):
    settings = make_plan(raw).settings["digits"]
    assert settings.teacher.epochs == raw["teacher"]["by_dataset"]["digits"]["epochs"]
    assert settings.teacher.lr == raw["teacher"]["lr"]


def test_budget_scales_lengths_and_nothing_else(raw):
    whole = make_plan(raw).settings["digits"]
    half = make_plan({**raw, "budget": 0.5}).settings["digits"]
    assert half.distill.ood.epochs == round(whole.distill.ood.epochs / 2)
    assert half.teacher.epochs == round(whole.teacher.epochs / 2)
    assert half.distill.ood.log_every == round(whole.distill.ood.log_every / 2)
    assert half.retrospect.ood.last == max(1, round(whole.retrospect.ood.last / 2))
    assert half.distill.ood.milestones == [
        round(m / 2) for m in whole.distill.ood.milestones
    ]
    assert half.surrogate == whole.surrogate
    assert half.vaccine == whole.vaccine
    assert half.distill.ood.lr == whole.distill.ood.lr


@pytest.mark.parametrize("budget", [0.5, 0.01, 0.0001])
def test_budget_keeps_some_of_every_source(raw, budget):
    """At least 20 cycles or 1 epoch, of a run and of its end; intervals with them."""
    whole = make_plan(raw).settings["digits"]
    short = scale(whole, budget)
    for source, least in (("zskt", 20), ("cmi", 1), ("ood", 1), ("clean", 1)):
        before, after = (s.distill.of(source) for s in (whole, short))
        wanted = max(least, round(before.epochs_in_all() * budget))
        assert after.epochs_in_all() == wanted
        for interval in ("log_every", "eval_every"):
            length = getattr(before, interval)
            assert getattr(after, interval) == max(1, round(length * budget))
        last = whole.retrospect.of(source).last
        assert short.retrospect.of(source).last == max(least, round(last * budget))


def test_a_budget_that_leaves_no_room_for_the_search_is_refused(raw):
    grids = [{**raw["experiments"]["demo"]["grids"][0], "sources": ["zskt"]}]
    raw = merge(raw, {"experiments": {"demo": {"grids": grids}}})
    make_plan({**raw, "budget": 0.001})
    with pytest.raises(AbdError) as caught:
        make_plan({**raw, "budget": 0.0005})
    assert "surrogate.warm.zskt: expected less than lambda = 20" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bogus": 1}, "bogus: expected one of run, budget"),
        ({"run": ["table9"]}, "run: expected one of demo, digits, got 'table9'"),
        ({"run": []}, "run: expected "),
        ({"budget": 0}, "budget: expected greater than 0, got 0"),
        ({"budget": 2}, "budget: expected less than or equal to 1, got 2"),
        ({"numerics": {"device": "gpu"}}, "numerics.device: expected"),
        ({"numerics": {"threads": 0}}, "numerics.threads: expected greater than or equal to 1, got 0"),
        ({"teacher": {"lr": -1}}, "teacher.lr: expected greater than 0, got -1"),
        ({"teacher": {"lr": float("nan")}}, "teacher.lr: expected"),
        ({"teacher": {"epoch": 3}}, "teacher.epoch: expected no such key, got 3"),
        ({"teacher": {"batch": 100000}}, "teacher.batch: expected at most fetch.n_train = 1437"),
        ({"teacher": {"by_dataset": {"digits": {"epochs": 0}}}}, "teacher.by_dataset.digits.epochs: expected"),
        ({"poison": {"target": 10}}, "poison.target: expected a class of digits, 0..9, got 10"),
        ({"vaccine": {"direction": "up"}}, "vaccine.direction: expected 'teacher' or 'shuffled', got 'up'"),
        ({"vaccine": 3}, "vaccine: expected a section, got 3"),
        ({"surrogate": {"skip": {"ood": 100}}}, "surrogate.skip.ood: expected less than 60, got 100"),
        ({"surrogate": {"by_dataset": {"digits": {"warm": {"ood": 5000}}}}}, "surrogate.warm.ood: expected less than lambda = "),
        ({"surrogate": {"warm": {"oood": 5}}}, "surrogate.warm.oood: expected one of clean, cmi, ood, zskt, got 'oood'"),
        ({"distill": {"gan": {"batch": 5}}}, "distill.gan: expected no such key"),
        ({"distill": {"ood": None, "by_dataset": {"digits": {"ood": None}}}}, "distill.ood: expected a value, got nothing"),
        ({"retrospect": {"by_dataset": {"digts": {"rounds": 3}}}}, "retrospect.by_dataset: expected any of digits, got 'digts'"),
        ({"patches": {"photos": ["china", "china"]}}, "patches.photos: expected every photograph once, got 'china'"),
        ({"patches": {"photos": ["street.jpg"]}}, "patches.photos: expected china or flower, or a file, got 'street.jpg'"),
        ({"patches": {"recipe": {"aspect": 0.5}}}, "patches.recipe.aspect: expected greater than or equal to 1, got 0.5"),
        ({"distill": {"clean": {"fraction": 0.01}}}, "distill.clean.batch: expected at most the 14 images of its pool, got 64"),
        ({"teacher": {"epochs": True, "by_dataset": {"digits": {"epochs": True}}}}, "teacher.by_dataset.digits.epochs: expected a number, got True"),
        ({"experiments": {"a/b": {"title": "x", "grids": []}}}, "experiments.a/b.grids: expected"),
        ({"retrospect": {"by_dataset": {"digits": {"ood": {"last": 999}}}}}, "surrogate.warm.ood: expected less than"),
        ({"distill": {"by_dataset": {"digits": {"ood": {"batch": 9999}}}}}, "distill.ood.batch: expected"),
        ({"fetch": {"by_dataset": {"digits": {"size": 4}}}}, "fetch.by_dataset.digits.size: expected"),
    ],
)  # fmt: skip
def test_wrong_params_name_key_expectation_and_value(raw, changes, message):
    with pytest.raises(AbdError) as caught:
        make_plan(merge(raw, changes))
    assert message in str(caught.value)
    assert "nothing was started" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "triggers",
            ["nope"],
            "triggers: expected one of badnet_grid, badnet_sq, trojan_wm, got 'nope'",
        ),
        ("dataset", "mnist", "dataset: expected one of digits, got 'mnist'"),
        ("sources", ["gan"], "sources: expected one of clean, cmi, ood, zskt, got 'gan'"),
        (
            "teacher",
            "vgg-16",
            "teacher: network: expected resnet-<18 or 34>[-imagenet], wrn-<depth>-<width> or "
            "package.module:Class, got 'vgg-16'",
        ),
        ("student", "wrn-17-1", "student: network: expected a depth of 6 n + 4"),
        (
            "student",
            "wrn-16",
            "student: network: expected resnet-<18 or 34>[-imagenet], wrn-<depth>-<width> or "
            "package.module:Class, got 'wrn-16'",
        ),
        ("defenses", ["magic"], "defenses.0: expected"),
        ("seeds", [True], "seeds.0: expected a number, got True"),
        ("seeds", [-1], "seeds.0: expected greater than or equal to 0, got -1"),
    ],
)
def test_wrong_grids_are_named(raw, key, value, message):
    raw["experiments"]["demo"]["grids"][0][key] = value
    with pytest.raises(AbdError) as caught:
        make_plan(raw)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "sections", "message"),
    [
        ("triggers", ["nope"], {}, "experiments.other.grids.triggers: expected one of "),
        ("dataset", "mnist", {}, "experiments.other.grids.dataset: expected one of "),
        (
            "dataset",
            "mnist",
            {"poison": {"by_dataset": {"mnist": {"rate": 0.2}}}},
            "experiments.other.grids.dataset: expected one of ",
        ),
        ("sources", ["cmi"], {"surrogate": {"warm": {"cmi": 500}}}, "surrogate.warm.cmi: expected less than lambda"),
    ],
)  # fmt: skip
def test_an_experiment_that_nobody_asked_for_stops_no_other(
    raw, key, value, sections, message
):
    """It is set aside with what is wrong with it, and says so when it is asked for."""
    grid = {**raw["experiments"]["demo"]["grids"][0], key: value}
    other = {"experiments": {"other": {"title": "x", "grids": [grid]}}}
    raw = merge(merge(raw, other), {"distill": {"cmi": {"epochs": 4}}, **sections})
    plan = make_plan(raw)
    assert plan.wanted() == plan.wanted("demo")
    assert "other" not in plan.cells
    (line,) = plan.set_aside["other"]
    assert line.startswith(message)
    with pytest.raises(AbdError, match="experiment other cannot run; nothing was started"):
        plan.wanted("other")
    with pytest.raises(AbdError, match=r"1 problem\(s\); nothing was started"):
        make_plan({**raw, "run": ["demo", "other"]})


def test_a_wrong_value_is_wrong_whoever_needs_it(raw):
    raw = merge(raw, {"run": ["demo"], "distill": {"zskt": {"lr": -1}}})
    with pytest.raises(AbdError, match=r"distill\.zskt\.lr: expected greater than 0"):
        make_plan(raw)


@pytest.mark.parametrize("name", ["a/b", "teacher", "distill_plain", "all", "2nd", ""])
def test_experiments_must_be_targets_of_their_own(raw, name):
    raw["experiments"][name] = raw["experiments"]["demo"]
    with pytest.raises(AbdError, match="experiments: expected names of letters, digits"):
        make_plan(raw)


def test_retrospection_takes_the_sources_temperature_unless_it_has_its_own(raw):
    def tau(own):
        changes = {"retrospect": {"by_dataset": {"digits": {"ood": {"tau": own}}}}}
        spec = job_spec(make_plan(merge(raw, changes)), "retrospect", JOBS["retrospect"])
        return json.loads(spec.config)["retrospection"]["tau"]

    assert tau(None) == raw["distill"]["ood"]["tau"]
    assert tau(3.0) == 3.0


def test_photographs_by_path_are_files_of_the_job(raw, tmp_path):
    photo = tmp_path / "street.jpg"
    photo.write_bytes(b"")
    plan = make_plan(merge(raw, {"patches": {"photos": ["china", str(photo)]}}))
    assert photo_files(plan.settings["digits"]) == [str(photo)]


def test_a_trigger_larger_than_the_image_is_named(raw, monkeypatch):
    from abd.triggers import TRIGGERS

    monkeypatch.setitem(TRIGGERS.builtin, "badnet_sq", "tests.test_config:_large_patch")
    with pytest.raises(
        AbdError,
        match=r"triggers: trigger large: expected images of at least 20 pixels, got 16",
    ):
        make_plan(raw)


def _large_patch(size):
    import numpy as np

    from abd.triggers.patch import PatchTrigger

    return PatchTrigger("large", size, np.zeros((20, 20, 3), np.uint8), margin=0)


def test_every_problem_is_listed_at_once(raw):
    bad = merge(raw, {"teacher": {"lr": -1}, "vaccine": {"trials": 0}, "extra": 1})
    del bad["poison"]["rate"]
    with pytest.raises(AbdError) as caught:
        make_plan(bad)
    lines = str(caught.value).splitlines()
    assert lines[0] == "params.yaml: 4 problem(s); nothing was started"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "extra", "poison.rate", "teacher.lr", "vaccine.trials",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", ""])
def test_files_that_are_no_params(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(AbdError, match=r"params\.yaml: expected a"):
        load_plan(path)


def test_strings_from_the_command_line_are_numbers(raw):
    """`snakemake --config` hands nested values on as text."""
    assert (
        make_plan(merge(raw, {"teacher": {"lr": "0.05"}})).settings["digits"].teacher.lr
        == 0.05
    )


def test_paths_follow_the_defense():
    ends = {
        "none": "distill/{}/plain", "sv": "distill/{}/first", "sr": "retrospect/{}/sr",
        "sv_sr": "retrospect/{}/sv_sr", "abd": "retrospect/{}/abd",
    }  # fmt: skip
    key = "digits/badnet_sq/wrn-16-2-t0/ood/wrn-16-1-s0"
    for defense, folder in ends.items():
        path = student_path(**WILDCARDS, defense=defense)
        assert path == f"results/{folder.format(key)}/student.safetensors"


def test_histories_make_one_curve():
    stages = [path.split("/")[1] for path in history_paths(CELL)]
    assert stages == ["surrogate", "distill", "retrospect"]


def test_every_stage_of_a_cell_is_wanted():
    stages = {path.split("/")[1] for path in stage_files([CELL])}
    assert stages == {
        "fetch",
        "patches",
        "poison",
        "teacher",
        "surrogate",
        "vaccine",
        "distill",
        "retrospect",
        "score",
        "evaluate",
    }


def test_slices_are_json_without_order(raw):
    config = json.loads(job_spec(make_plan(raw), "distill", JOBS["distill"]).config)
    reordered = dict(reversed(list(deepcopy(raw).items())))
    again = json.loads(job_spec(make_plan(reordered), "distill", JOBS["distill"]).config)
    assert config == again
    assert config["guard"] == "searched"
