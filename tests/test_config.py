import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from abd.config import Cell, load_plan, make_plan
from abd.config.budget import scale
from abd.config.jobs import job_spec
from abd.config.paths import (
    asset_files,
    hard_path,
    history_paths,
    labelled_path,
    own_path,
    photo_files,
    statistics_path,
    student_path,
)
from abd.config.sections import merge
from abd.config.stage_jobs import plain_path, stage_files
from abd.errors import AbdError
from tests.raw_data import arrays, write_folders, write_npz

PARAMS = Path(__file__).parents[1] / "params.yaml"
CELL = Cell("digits", "badnet_sq", "wrn-16-2", 0, "ood", "wrn-16-1", 0, "abd")
WILDCARDS = {
    "dataset": "digits", "trigger": "badnet_sq", "teacher": "wrn-16-2", "teacher_seed": "0",
    "source": "ood", "student": "wrn-16-1", "seed": "0",
}  # fmt: skip
JOBS = {
    "fetch": {"dataset": "digits"},
    "patches": {"dataset": "digits"},
    "harden": {"dataset": "digits"},
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


LEARNING = {
    "harden",
    "teacher",
    "surrogate",
    "vaccine",
    "distill",
    "retrospect",
    "score",
    "evaluate",
}


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"retrospect": {"rounds": 3}}, {"retrospect"}),
        (
            {"retrospect": {"by_dataset": {"digits": {"ood": {"weight": 2.0}}}}},
            {"retrospect"},
        ),
        ({"retrospect": {"clean": {"weight": 9.0}}}, set()),
        ({"retrospect": {"ood": {"rounds": 3}}}, {"retrospect"}),
        ({"retrospect": {"zskt": {"rounds": 3}}}, set()),
        (
            {"retrospect": {"by_dataset": {"digits": {"ood": {"last": 2}}}}},
            {"distill", "retrospect"},
        ),
        ({"vaccine": {"threshold": 0.5}}, {"vaccine"}),
        ({"vaccine": {"direction": "shuffled"}}, {"vaccine", "score"}),
        ({"vaccine": {"n_conv": "last_stage"}}, {"vaccine"}),
        ({"retrospect": {"sv": True}}, {"retrospect"}),
        ({"retrospect": {"force": True}}, {"retrospect"}),
        ({"retrospect": {"sr_below": 0.0, "sv_restart_drop": 0.5, "labelled": "x"}}, set()),
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
        ({"poison": {"target": 3}}, {"harden", "poison"}),
        ({"poison": {"variants": {"smooth": "gtsrb"}}}, set()),
        ({"poison": {"assets": {"blend": "params.yaml"}}}, set()),
        ({"harden": {"attack": {"steps": 30}}}, {"harden"}),
        ({"patches": {"seed": 1}}, {"patches"}),
        ({"numerics": {"threads": 2}}, LEARNING),
        ({"numerics": {"dtype": "bfloat16"}}, LEARNING - {"vaccine", "score", "evaluate"}),
        ({"numerics": {"graph": True}}, {"teacher", "distill"}),
        ({"numerics": {"compile": True}}, {"teacher", "distill"}),
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


def test_an_override_of_nothing_but_comments_overrides_nothing(raw):
    before = make_plan(raw).settings["digits"].harden
    raw["harden"]["by_dataset"]["digits"] = None
    after = make_plan(raw).settings["digits"].harden
    assert after.epochs == raw["harden"]["epochs"] != before.epochs


def test_no_overrides_are_none(raw):
    raw["patches"]["by_dataset"] = None
    assert make_plan(raw).settings["digits"].patches.n == raw["patches"]["n"]


@pytest.mark.parametrize("value", [[], "", 3, ["digits"]])
@pytest.mark.parametrize("section", ["fetch", "patches"])
def test_overrides_that_are_no_mapping_are_one_problem(raw, section, value):
    """What a section lacks without them is none of its own."""
    raw[section]["by_dataset"] = value
    with pytest.raises(AbdError) as caught:
        make_plan(raw)
    assert str(caught.value).splitlines()[1:] == [
        f"  {section}.by_dataset: expected settings by data set, or nothing, got {value!r}"
    ]


def test_overrides_of_a_data_set_that_no_experiment_names_any_more(raw):
    del raw["experiments"]["pubfig"]
    with pytest.raises(AbdError) as caught:
        make_plan(raw)
    sections = ("fetch", "poison", "teacher", "distill")
    assert str(caught.value).splitlines()[1:] == [
        f"  {section}.by_dataset: expected any of cifar10, digits, gtsrb, got 'pubfig', "
        "which no experiment names: correct it, or remove its overrides"
        for section in sections
    ]
    for section in sections:
        del raw[section]["by_dataset"]["pubfig"]
    assert make_plan(raw)


@pytest.mark.parametrize("value", ["data/x.npz", [1], 3])
def test_overrides_that_are_no_settings_are_named(raw, value):
    raw["fetch"]["by_dataset"]["digits"] = value
    with pytest.raises(
        AbdError, match=r"fetch\.by_dataset\.digits: expected settings, got"
    ):
        make_plan(raw)


def test_overrides_count_for_their_data_set(raw):
    settings = make_plan(raw).settings["digits"]
    assert settings.teacher.epochs == raw["teacher"]["by_dataset"]["digits"]["epochs"]
    assert settings.teacher.lr == raw["teacher"]["lr"]


def test_budget_scales_lengths_and_nothing_else(raw):
    whole = make_plan(raw).settings["digits"]
    half = make_plan({**raw, "budget": 0.5}).settings["digits"]
    assert half.distill.ood.epochs == round(whole.distill.ood.epochs / 2)
    assert half.teacher.epochs == round(whole.teacher.epochs / 2)
    assert half.harden.epochs == round(whole.harden.epochs / 2)
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
    own = {"digits": {"zskt": {"cycles": 80000}}}
    raw = merge(raw, {"experiments": {"demo": {"grids": grids}}})
    raw = merge(raw, {"distill": {"by_dataset": own}, "surrogate": {"by_dataset": None}})
    make_plan({**raw, "budget": 0.001})
    with pytest.raises(AbdError) as caught:
        make_plan({**raw, "budget": 0.0005})
    assert "surrogate.warm.zskt: expected less than lambda = 20" in str(caught.value)
    assert "of 1, within budget = 0.0005), got 50" in str(caught.value)


def test_the_budget_is_named_only_where_there_is_one(raw):
    with pytest.raises(AbdError, match=r"epochs of 31\), got 5000"):
        make_plan(
            merge(raw, {"surrogate": {"by_dataset": {"digits": {"warm": {"ood": 5000}}}}})
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bogus": 1}, "bogus: expected one of run, budget"),
        ({"run": ["table9"]}, "run: expected one of demo, digits, "),
        ({"run": []}, "run: expected "),
        ({"budget": 0}, "budget: expected greater than 0, got 0"),
        ({"budget": 2}, "budget: expected less than or equal to 1, got 2"),
        ({"numerics": {"device": "gpu"}}, "numerics.device: expected"),
        ({"numerics": {"dtype": "int8"}}, "numerics.dtype: expected 'float32' or 'bfloat16', got 'int8'"),
        ({"numerics": {"threads": 0}}, "numerics.threads: expected greater than or equal to 1, got 0"),
        ({"teacher": {"lr": -1}}, "teacher.lr: expected greater than 0, got -1"),
        ({"teacher": {"lr": float("nan")}}, "teacher.lr: expected"),
        ({"teacher": {"lr": float("inf")}}, "teacher.lr: expected a finite number, got inf"),
        ({"teacher": {"lr": "1e400"}}, "teacher.lr: expected a finite number, got '1e400'"),
        ({"teacher": {"lr": 10**400}}, "teacher.lr: expected a valid number, got a number of 1329 bits"),
        ({"teacher": {"lr": 1e10}}, "teacher.lr: expected less than or equal to 1000000000, got 10000000000.0"),
        ({"patches": {"n": 2**64}}, "patches.n: expected less than or equal to 1000000000, got 18446744073709551616"),
        ({"patches": {"seed": 2**63}}, "patches.seed: expected less than or equal to 9223372036854775807, got 9223372036854775808"),
        ({"numerics": {"threads": 10**9}}, "numerics.threads: expected less than or equal to 1024, got 1000000000"),
        ({"numerics": {"device": "cuda:128"}}, "numerics.device: expected"),
        ({"vaccine": {"n_conv": "9" * 5000}}, "vaccine.n_conv: expected a number of convolutions, at least 1, or last_stage, got '999"),
        ({"experiments": {"demo": {"reproduces": "Table 9"}}}, "experiments.demo.reproduces: expected 'Table 1', 'Table 2', "),
        ({"fetch": {"by_dataset": {"digits": {"mean": [128, 128, 128]}}}}, "fetch.by_dataset.digits.mean.0: expected less than or equal to 1, got 128"),
        ({"teacher": {"by_dataset": {7: {}, "a": {}}}}, "teacher.by_dataset: expected any of cifar10, digits, gtsrb, pubfig, got 7, which"),
        ({"teacher": {"epoch": 3}}, "teacher.epoch: expected no such key, got 3"),
        ({"teacher": {"batch": 100000}}, "teacher.batch: expected at most fetch.n_train = 1437"),
        ({"teacher": {"by_dataset": {"digits": {"epochs": 0}}}}, "teacher.by_dataset.digits.epochs: expected"),
        ({"poison": {"target": 10}}, "poison.target: expected a class of digits, 0..9, got 10"),
        ({"poison": {"variants": {"smooth": "svhn"}}}, "poison.variants.smooth: expected one of cifar10, gtsrb, got 'svhn'"),
        ({"poison": {"variants": {"blend": "cat"}}}, "poison.variants.blend: expected no such key: this trigger has one pattern, got 'cat'"),
        ({"poison": {"variants": {"smoth": "gtsrb"}}}, "poison.variants: expected any of badnet_grid, badnet_sq, "),
        ({"poison": {"assets": {"blend": "cat.png"}}}, "poison.assets.blend.pattern: expected a file, got 'cat.png'"),
        ({"poison": {"assets": {"l0_inv": {"mask": "mask.npy"}}}}, "poison.assets.l0_inv.mask: expected a file, got 'mask.npy'"),
        ({"poison": {"assets": {"blend": {"mask": "params.yaml"}}}}, "poison.assets.blend: expected any of pattern, got 'mask'"),
        ({"poison": {"assets": {"badnet_sq": "params.yaml"}}}, "poison.assets.badnet_sq.pattern: expected no file: nothing of this trigger can be replaced, got 'params.yaml'"),
        ({"poison": {"assets": {"blnd": "params.yaml"}}}, "poison.assets: expected any of badnet_grid, badnet_sq, "),
        ({"poison": {"assets": {"blend": 3}}}, "poison.assets.blend: expected a valid dictionary, got 3"),
        ({"harden": {"attack": {"eps": 0}}}, "harden.attack.eps: expected greater than 0, got 0"),
        ({"vaccine": {"direction": "up"}}, "vaccine.direction: expected 'teacher' or 'shuffled', got 'up'"),
        ({"vaccine": {"n_conv": 0}}, "vaccine.n_conv: expected a number of convolutions, at least 1, or last_stage, got 0"),
        ({"vaccine": {"n_conv": "all"}}, "vaccine.n_conv: expected a number of convolutions, at least 1, or last_stage, got 'all'"),
        ({"vaccine": 3}, "vaccine: expected a section, got 3"),
        ({"surrogate": {"skip": {"ood": 100}}}, "surrogate.skip.ood: expected less than surrogate.warm.ood = 60, got 100"),
        ({"surrogate": {"by_dataset": {"digits": {"warm": {"ood": 5000}}}}}, "surrogate.warm.ood: expected less than lambda = "),
        ({"surrogate": {"warm": {"oood": 5}}}, "surrogate.warm.oood: expected one of clean, cmi, ood, zskt, got 'oood'"),
        ({"distill": {"gan": {"batch": 5}}}, "distill.gan: expected no such key"),
        ({"distill": {"ood": None, "by_dataset": {"digits": {"ood": None}}}}, "distill.ood: expected a value, got nothing"),
        ({"retrospect": {"by_dataset": {"digts": {"rounds": 3}}}}, "retrospect.by_dataset: expected any of cifar10, digits, gtsrb, pubfig, got 'digts'"),
        ({"retrospect": {"ood": {"rounds": 0}}}, "retrospect.ood.rounds: expected greater than or equal to 1, got 0"),
        ({"retrospect": {"by_dataset": {"digits": {"ood": {"perturb": "me"}}}}}, "retrospect.by_dataset.digits.ood.perturb: expected 'student' or 'teacher', got 'me'"),
        ({"retrospect": {"ood": {"force": True}}}, "retrospect.ood.force: expected no such key, got True"),
        ({"retrospect": {"rule": "free"}}, "retrospect.rule: expected 'data_free' or 'paper', got 'free'"),
        ({"retrospect": {"sr_below": 5}}, "retrospect.sr_below: expected less than or equal to 1, got 5"),
        ({"retrospect": {"sr_below": 0.2}}, "retrospect.sv_restart_drop: expected at least retrospect.sr_below = 0.2, got 0.1"),
        ({"retrospect": {"rule": "paper"}}, "retrospect.labelled: expected labelled images of digits for retrospect.rule: paper, an .npz file or class folders, got nothing"),
        ({"retrospect": {"rule": "paper", "labelled": "no.npz"}}, "retrospect.labelled: no.npz: expected an .npz file with the arrays x and y, or a folder"),
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
            "triggers: expected one of badnet_grid, badnet_sq, blend, cl, l0_inv, l2_inv, sig, "
            "smooth, trojan_3x3, trojan_8x8, trojan_wm, got 'nope'",
        ),
        ("sources", ["gan"], "sources: expected one of clean, cmi, ood, zskt, got 'gan'"),
        (
            "dataset",
            "mnist",
            "dataset: expected one of cifar10, digits, gtsrb, or your own at fetch.by_dataset.mnist.path, got 'mnist'",
        ),
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
        ("teacher", f"wrn-{'1' * 5000}-1", "teacher: network: expected resnet-"),
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
        ("sources", ["cmi"], {"surrogate": {"by_dataset": {"digits": {"warm": {"cmi": 5000}}}}}, "surrogate.warm.cmi: expected less than lambda"),
    ],
)  # fmt: skip
def test_an_experiment_that_nobody_asked_for_stops_no_other(
    raw, key, value, sections, message
):
    """It is set aside with what is wrong with it, and says so when it is asked for."""
    grid = {**raw["experiments"]["demo"]["grids"][0], key: value}
    other = {"experiments": {"other": {"title": "x", "grids": [grid]}}}
    raw = merge(merge(raw, other), sections)
    plan = make_plan(raw)
    assert plan.wanted() == plan.wanted("demo")
    assert "other" not in plan.cells
    (line,) = plan.set_aside["other"]
    assert line.startswith(message)
    with pytest.raises(AbdError, match="experiment other cannot run; nothing was started"):
        plan.wanted("other")
    with pytest.raises(AbdError, match=r"1 problem\(s\); nothing was started"):
        make_plan({**raw, "run": ["demo", "other"]})


@pytest.mark.parametrize(
    ("grid", "sections", "message"),
    [
        (
            {"sources": ["zskt"], "teacher": "resnet-18"},
            {},
            "distill.zskt.at_beta: expected 0 for networks of 4 and 3 named stages, got "
            "250.0 (resnet-18, wrn-16-1)",
        ),
        (
            {"defenses": ["sv"]},
            {"vaccine": {"n_conv": 17}},
            "vaccine.n_conv: expected at most the 16 convolutions of wrn-16-2, got 17",
        ),
    ],
)
def test_networks_that_do_not_go_together_are_refused(raw, grid, sections, message):
    raw["experiments"]["demo"]["grids"] = [
        {**raw["experiments"]["demo"]["grids"][0], **grid}
    ]
    with pytest.raises(AbdError) as caught:
        make_plan(merge(raw, sections))
    assert str(caught.value).splitlines()[1:] == [f"  {message}"]


@pytest.mark.parametrize(
    ("grid", "sections"),
    [
        ({"sources": ["ood"], "teacher": "resnet-18"}, {}),
        (
            {"sources": ["zskt"], "teacher": "resnet-18"},
            {"distill": {"zskt": {"at_beta": 0}}},
        ),
        ({"defenses": ["none", "sr"]}, {"vaccine": {"n_conv": 17}}),
    ],
)
def test_networks_are_asked_only_for_what_is_used(raw, grid, sections):
    raw["experiments"]["demo"]["grids"] = [
        {**raw["experiments"]["demo"]["grids"][0], **grid}
    ]
    make_plan(merge(raw, sections))


def test_all_experiments_but_the_one_with_the_users_images_can_run(raw, tmp_path):
    plan = make_plan(raw)
    assert list(plan.set_aside) == ["pubfig"]
    names = ["demo", "table1", "table2", "table3", "table4", "figure2", "gtsrb"]
    assert set(names) < plan.cells.keys()

    folder = write_folders(tmp_path / "faces", counts=(50, 2))
    plan = make_plan(
        merge(raw, {"fetch": {"by_dataset": {"pubfig": {"path": str(folder)}}}})
    )
    assert not plan.set_aside
    (cell, *_) = plan.wanted("pubfig")
    assert (cell.teacher, cell.student) == ("resnet-34-imagenet", "resnet-18-imagenet")
    assert (plan.settings["pubfig"].fetch.size, plan.settings["pubfig"].fetch.n_train) == (
        224,
        150,
    )


def test_the_study_can_be_shrunk(raw):
    names = ["table1", "table2", "table3", "table4", "figure2", "gtsrb"]
    plan = make_plan({**raw, "budget": 0.05, "run": names})
    assert plan.settings["gtsrb"].distill.zskt.cycles == 500
    assert plan.settings["gtsrb"].retrospect.zskt.last == 20


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


SHARED = {
    "perturb": "teacher", "rounds": 7, "inner_lr": 0.2, "init_sigma": 0.5, "l2": 0.25,
    "l2_in_synthesis": False, "n_terms": 9, "tol": 1e-3, "map_step": 0.75,
    "reduction": "batch", "detach": False, "bn": "clean",
}  # fmt: skip


@pytest.mark.parametrize("key", SHARED)
def test_a_source_may_have_a_constant_of_its_own(raw, key):
    """It holds for that source alone; what a source does not give is the shared one."""
    plan = make_plan(merge(raw, {"retrospect": {"zskt": {key: SHARED[key]}}}))
    given = {
        source: json.loads(
            job_spec(plan, "retrospect", {**JOBS["retrospect"], "source": source}).config
        )["retrospection"]
        for source in ("zskt", "cmi")
    }
    assert given["zskt"][key] == SHARED[key]
    assert given["cmi"][key] == raw["retrospect"][key] != SHARED[key]


def test_what_was_chosen_for_photographs_holds_for_them_alone(raw):
    digits = make_plan(raw).settings["digits"].retrospect
    chosen = {"perturb": "teacher", "inner_lr": 0.3, "bn": "outer"}
    shared = {key: raw["retrospect"][key] for key in SHARED}
    assert digits.constants("ood") == {**shared, **chosen}
    for source in ("clean", "zskt", "cmi"):
        assert digits.constants(source) == shared


def _label(folder, n_classes=10):
    """Write labelled images of the digits' size; return the file."""
    made = arrays(n_classes=n_classes)
    np.savez(folder / "labelled.npz", x=made["x_train"], y=made["y_train"])
    return folder / "labelled.npz"


def _by_paper(raw, labelled, **changes):
    rule = {"rule": "paper", "labelled": str(labelled), **changes}
    return merge(raw, {"retrospect": rule})


def test_the_rule_of_the_paper_concerns_abd_alone(raw, tmp_path):
    """Its limits and its images are told to no other job; where they lie, to none."""
    path = _label(tmp_path)
    before, after = make_plan(raw), make_plan(_by_paper(raw, path))
    for defense in ("sr", "sv_sr", "abd"):
        job = ("retrospect", {**JOBS["retrospect"], "defense": defense})
        assert (job_spec(before, *job) != job_spec(after, *job)) == (defense == "abd")
    assert _changed(_by_paper(raw, path), {"retrospect": {"sr_below": 0.0}}) == {
        "retrospect"
    }
    (tmp_path / "other").mkdir()
    other = {"retrospect": {"labelled": str(_label(tmp_path / "other"))}}
    assert _changed(_by_paper(raw, path), other) == set()
    settings = [plan.settings["digits"] for plan in (before, after)]
    assert [labelled_path(s) for s in settings] == [None, str(path)]
    plain = [plain_path(s, "lambda.safetensors", WILDCARDS) for s in settings]
    assert plain[0] is None
    assert plain[1] in stage_files([CELL])


def test_labels_are_asked_for_where_abd_is(raw):
    """An experiment without it runs; one with it is set aside, or refused if in `run`."""
    raw["experiments"]["demo"]["grids"][0]["defenses"] = ["none", "sr"]
    plan = make_plan(merge(raw, {"retrospect": {"rule": "paper"}}))
    assert "figure2" in plan.cells
    (line,) = plan.set_aside["digits"]
    assert line.startswith("retrospect.labelled: expected labelled images of digits")


def test_labelled_images_must_fit_the_data_set(raw, tmp_path):
    path = _label(tmp_path, n_classes=11)
    with pytest.raises(AbdError) as caught:
        make_plan(_by_paper(raw, path))
    assert f"retrospect.labelled: {path}: y: expected labels in 0..9, got 0..10" in str(
        caught.value
    )


@pytest.mark.parametrize("part", ["", "test"])
def test_the_test_set_is_not_measured_on(raw, tmp_path, part):
    root = write_folders(tmp_path / "mine", counts=(200, 2))
    make_plan(_by_paper(_own(raw, root), root / "train"))
    with pytest.raises(AbdError) as caught:
        make_plan(_by_paper(_own(raw, root), root / part))
    assert (
        "retrospect.labelled: expected images that are not mine's own, the test set among "
        f"them, got '{root / part}'"
    ) in str(caught.value)


def test_photographs_by_path_are_files_of_the_job(raw, tmp_path):
    photo = tmp_path / "street.jpg"
    photo.write_bytes(b"")
    plan = make_plan(merge(raw, {"patches": {"photos": ["china", str(photo)]}}))
    assert photo_files(plan.settings["digits"]) == [str(photo)]


def _with_trigger(raw, trigger, changes):
    raw["experiments"]["demo"]["grids"][0]["triggers"] = [trigger]
    return make_plan(merge(raw, changes))


def test_a_triggers_variant_and_assets_are_its_own_jobs_alone(raw, tmp_path):
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"")
    changes = {
        "poison": {"variants": {"smooth": "gtsrb"}, "assets": {"blend": str(picture)}}
    }
    plan = make_plan(merge(raw, changes))
    given = {
        trigger: json.loads(
            job_spec(plan, "poison", {"dataset": "digits", "trigger": trigger}).config
        )
        for trigger in ("smooth", "blend", "badnet_sq")
    }
    assert {t: config["variant"] for t, config in given.items()} == {
        "smooth": "gtsrb", "blend": None, "badnet_sq": None,
    }  # fmt: skip
    assert given["blend"]["assets"] == {"pattern": str(picture)}
    assert given["smooth"]["assets"] == given["badnet_sq"]["assets"] == {}
    assert asset_files(plan.settings["digits"], "blend") == [str(picture)]
    assert asset_files(plan.settings["digits"], "smooth") == []


def test_only_cl_asks_for_hard_images(raw):
    cl = replace(CELL, trigger="cl")
    made = set(stage_files([cl])) - {
        path.replace("badnet_sq", "cl") for path in stage_files([CELL])
    }
    assert {path.split("/")[1] for path in made} == {"harden"}
    assert hard_path("cl", "digits") in made
    assert hard_path("badnet_sq", "digits") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": "vgg"}, "harden.net: network: expected resnet-"),
        ({"batch": 5000}, "harden.batch: expected at most fetch.n_train = 1437, got 5000"),
    ],
)
def test_a_robust_network_is_checked_where_it_is_needed(raw, changes, message):
    harden = {"harden": {**changes, "by_dataset": {"digits": changes}}}
    make_plan(merge(raw, harden))
    with pytest.raises(AbdError) as caught:
        _with_trigger(raw, "cl", harden)
    assert message in str(caught.value)


def test_a_variant_larger_than_the_image_is_named(raw):
    with pytest.raises(
        AbdError, match=r"triggers: trigger badnet_grid: .* 192 pixels, got 16"
    ):
        _with_trigger(
            raw, "badnet_grid", {"poison": {"variants": {"badnet_grid": "pubfig"}}}
        )


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


def test_a_problem_is_one_line_whatever_was_written(raw):
    odd = {"a\nb": "\0", "x" * 5000: [["y"] * 100] * 100, "c": ["\ud800", 2**5000]}
    with pytest.raises(AbdError) as caught:
        make_plan(merge(raw, {"teacher": odd}))
    _, *lines = str(caught.value).encode().decode().split("\n")
    assert len(lines) == len(odd)
    assert all(line.startswith("  teacher.") and len(line) < 500 for line in lines)


def test_the_largest_numbers_overflow_nothing(raw):
    """Whatever is within the bounds, its rounds still fit 64 bits."""
    huge = {"epochs": 10**9, "kd_steps": 10**9}
    raw = merge(raw, {"distill": {"by_dataset": {"digits": {"cmi": huge}}}})
    plan = make_plan({**raw, "run": ["sources"]})
    spec = job_spec(plan, "surrogate", {**WILDCARDS, "source": "cmi"})
    assert 10**18 < json.loads(spec.config)["total"] < 2**63


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


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "a: \xff"])
def test_files_that_are_no_params(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode("latin-1"))
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


def _own(raw, path, **fetch):
    """The params with the demo on a data set of the user's own."""
    changes = {"fetch": {"by_dataset": {"mine": {"path": str(path), **fetch}}}}
    raw = deepcopy(merge(raw, changes))
    raw["experiments"]["demo"]["grids"][0]["dataset"] = "mine"
    return raw


MINE = {stage: {**wildcards, "dataset": "mine"} for stage, wildcards in JOBS.items()}


def _slice(raw, stage):
    return json.loads(job_spec(make_plan(raw), stage, MINE[stage]).config)


def test_what_is_left_out_of_own_data_is_found(raw, tmp_path):
    npz = write_npz(tmp_path / "mine.npz", **arrays(n_train=600))
    folders = write_folders(tmp_path / "mine", counts=(200, 2))
    for path in (npz, folders):
        plan = make_plan(_own(raw, path))
        fetch = plan.settings["mine"].fetch
        assert (fetch.size, fetch.n_classes, fetch.n_train) == (16, 3, 600)
        assert fetch.mean is None
        assert own_path(plan.settings["mine"]) == str(path)
        assert statistics_path(plan.settings["mine"], "mine")
        assert _slice(_own(raw, path), "teacher")["images"]["n_classes"] == 3


def test_what_is_given_of_own_data_must_be_right(raw, tmp_path):
    path = write_npz(tmp_path / "mine.npz", **arrays(n_train=600))
    assert make_plan(_own(raw, path, size=16, n_classes=3, n_train=600))
    with pytest.raises(AbdError) as caught:
        make_plan(_own(raw, path, size=32, n_classes=10, n_train=60))
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(" as in ")[0].strip() for line in lines] == [
        "fetch.by_dataset.mine.size: expected 16",
        "fetch.by_dataset.mine.n_classes: expected 3",
        "fetch.by_dataset.mine.n_train: expected 600",
    ]


def test_folders_are_resized_where_a_size_is_given(raw, tmp_path):
    path = write_folders(tmp_path / "mine", counts=(200, 2))
    assert _slice(_own(raw, path), "fetch")["fetch"]["resize"] is False
    given = _slice(_own(raw, path, size=24), "fetch")["fetch"]
    assert (given["resize"], given["size"]) == (True, 24)


def test_a_normalisation_concerns_the_networks_and_not_the_images(raw, tmp_path):
    path = write_npz(tmp_path / "mine.npz", **arrays(n_train=600))
    before, after = _own(raw, path), _own(raw, path, mean=[0.5] * 3, std=[0.2] * 3)
    changed = {stage for stage in JOBS if _slice(before, stage) != _slice(after, stage)}
    assert changed == LEARNING
    assert statistics_path(make_plan(after).settings["mine"], "mine") is None


def test_where_data_lie_shapes_no_job(raw, tmp_path):
    path = write_npz(tmp_path / "mine.npz", **arrays(n_train=600))
    other = write_npz(tmp_path / "other.npz", **arrays(n_train=600))
    assert all(_slice(_own(raw, path), s) == _slice(_own(raw, other), s) for s in JOBS)
    assert not _changed(raw, {"fetch": {"root": "elsewhere", "download": False}})


def test_a_folders_listing_is_in_the_slice(raw, tmp_path):
    path = write_folders(tmp_path / "mine", counts=(200, 2))
    before = _slice(_own(raw, path), "fetch")
    (path / "train/cat/0.png").rename(path / "train/dog/more.png")
    assert _slice(_own(raw, path), "fetch") != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "fetch.by_dataset.mine.path: {path}: expected the arrays"),
        ({"x_train": np.zeros((9, 16, 16))}, "mine.path: {path}: x_train: expected uint8"),
    ],
)
def test_bad_own_data_start_nothing(raw, tmp_path, changes, message):
    path = write_npz(tmp_path / "mine.npz", **changes)
    with pytest.raises(AbdError) as caught:
        make_plan(_own(raw, path))
    assert message.format(path=path) in str(caught.value)
    assert "1 problem(s); nothing was started" in str(caught.value)


def test_own_data_that_are_not_there(raw, tmp_path):
    with pytest.raises(
        AbdError, match=r"mine\.path: .*no\.npz: expected an \.npz file, or"
    ):
        make_plan(_own(raw, tmp_path / "no.npz"))
    raw["fetch"]["by_dataset"]["unused"] = {"path": "no.npz"}
    assert make_plan(raw), "data that nobody asks for are not looked at"


def test_a_target_that_own_data_do_not_have(raw, tmp_path):
    path = write_npz(tmp_path / "mine.npz", **arrays(n_train=600))
    with pytest.raises(AbdError, match=r"poison\.target: expected a class of mine, 0\.\.2"):
        make_plan(merge(_own(raw, path), {"poison": {"target": 3}}))


@pytest.mark.parametrize("name", ["a/b", "", "..", 7])
def test_names_of_own_data_must_be_folders(raw, name):
    raw["fetch"]["by_dataset"][name] = {"path": "mine.npz"}
    with pytest.raises(AbdError, match=r"fetch\.by_dataset: expected names of letters"):
        make_plan(raw)


def test_the_signs_have_their_own_teacher(raw):
    grid = {**raw["experiments"]["demo"]["grids"][0], "dataset": "gtsrb"}
    raw["experiments"]["signs"] = {"title": "signs", "grids": [grid]}
    own = make_plan(raw).settings["gtsrb"]
    assert own.poison.target == 1
    assert (own.teacher.optimizer, own.teacher.lr, own.teacher.batch) == ("adam", 1e-3, 256)
    assert (own.fetch.n_classes, own.fetch.n_train) == (43, 39209)
