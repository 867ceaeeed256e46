"""The DAG as its users run it, with parameters for seconds."""

import json
import re

import numpy as np
import pytest

from abd.config import load_plan
from abd.config.stage_jobs import stage_files
from abd.storage.arrays import read_arrays
from abd.storage.files import sha256
from tests.workflow.conftest import GRID, jobs_in, with_grid

KEY = "digits/badnet_sq/wrn-10-1-t0/ood/wrn-10-1-s0"
WARM, TOTAL, LAST = 4, 12, 3  # rounds; 96 patches in batches of 32, 4 epochs
BARE = {
    "title": "no remedy",
    "grids": [{**GRID, "defenses": ["none"]}],
}


def _record(workflow, path):
    return json.loads((workflow.folder / "results" / path / "record.json").read_text())


def test_everything_is_made_once(finished):
    assert finished.planned() == {}
    records = json.loads((finished.folder / "reports/summary.json").read_text())
    assert [r["defense"] for r in records] == ["none", "abd"]
    for r in records:
        assert 0 <= r["acc"] <= 1
        assert 0 <= r["asr"] <= 1
        assert (r["experiment"], r["dataset"], r["seed"]) == ("demo", "digits", 0)
    assert records[0]["vaccine"] is None
    assert records[1]["vaccine"]["found"] is False
    assert len(records[1]["vaccine"]["ratios"]) == 2
    assert 0 <= records[1]["vaccine"]["auc"] <= 1


def _decision(workflow):
    return json.loads(
        (workflow.folder / f"results/retrospect/{KEY}/abd/decision.json").read_text()
    )


def test_rounds_are_not_done_twice(finished):
    """The warm prefix is an edge, and without a vaccine nothing is distilled anew."""
    plain = _record(finished, f"distill/{KEY}/plain")
    searched = _record(finished, f"distill/{KEY}/searched")
    sr = _record(finished, f"retrospect/{KEY}/abd")
    assert plain["facts"] == {"rounds": TOTAL - WARM}
    assert searched["facts"]["rounds"] == 0
    assert searched["facts"]["reused_from"].endswith("plain/student.safetensors")
    assert searched["outputs"] == plain["outputs"]
    assert sr["facts"]["rounds"] == LAST
    assert _decision(finished)["outcome"] == "sr"


def test_the_score_is_diagnosed(finished):
    """Without a vaccine it is of the first draw; the AUC is the Mann-Whitney statistic."""
    folder = finished.folder / f"results/score/{KEY}"
    verdict = json.loads((folder / "score.json").read_text())
    assert (verdict["found"], verdict["trial"]) == (False, 0)
    scores, roc = (read_arrays(folder / name) for name in ("scores.npz", "roc.npz"))
    clean, stamped = scores["clean"], scores["stamped"]
    assert (len(clean), len(stamped)) == (verdict["n_clean"], verdict["n_stamped"])
    lower = stamped[:, None] < clean
    ties = stamped[:, None] == clean
    assert verdict["auc"] == pytest.approx(lower.mean() + ties.mean() / 2)
    for rate in (roc["fpr"], roc["tpr"]):
        assert (rate[0], rate[-1]) == (0, 1)
        assert (np.diff(rate) >= 0).all()


def test_the_accepted_branch(copied):
    """With a threshold of nothing the first draw is a vaccine: distilled, no SR."""
    copied.edit({"vaccine": {"threshold": 0.0, "n_sigmas": 0.5}})
    done = jobs_in(copied.snakemake("-n").stderr)
    assert done["vaccine"] == done["distill_searched"] == done["retrospect_abd"] == 1
    assert not {"teacher", "surrogate", "distill_plain", "evaluate_teacher"} & done.keys()
    copied.snakemake()
    verdict = json.loads(
        (copied.folder / f"results/vaccine/{KEY}/vaccine.json").read_text()
    )
    assert verdict["found"]
    assert verdict["trial"] == 0
    searched = _record(copied, f"distill/{KEY}/searched")
    plain = _record(copied, f"distill/{KEY}/plain")
    sr = _record(copied, f"retrospect/{KEY}/abd")
    assert searched["facts"] == {"rounds": TOTAL - WARM}
    assert (
        searched["outputs"]["student.safetensors"]
        != plain["outputs"]["student.safetensors"]
    )
    assert sr["facts"]["rounds"] == 0
    assert _decision(copied)["outcome"] == "sv"
    assert (
        sr["outputs"]["student.safetensors"] == searched["outputs"]["student.safetensors"]
    )
    copied.edit({"retrospect": {"force": True}})
    assert "retrospect_abd" in copied.planned(), "SR can be asked for all the same"


REPORT = {"report": 1, "summary": 1, "all": 1}


ABD = {"distill_searched": 1, "retrospect_abd": 1, "evaluate": 1}
SEARCH = {"vaccine": 1, "score": 1, **ABD}
STUDENTS = {"surrogate": 1, "distill_plain": 1, **SEARCH, "evaluate": 2}
TEACHER = {"teacher": 1, "evaluate_teacher": 1, **STUDENTS}


def _digits(section, **changes):
    return {section: {"by_dataset": {"digits": changes}}}


# One value of every stage of the demo, a cell more, and the jobs that each concerns.
EDITS = {
    "normalisation": (_digits("fetch", mean=[0.3, 0.3, 0.3]), TEACHER),
    "patches": (_digits("patches", n=95), {"patches": 1, **STUDENTS}),
    "poison": ({"poison": {"rate": 0.2}}, {"poison": 1, **TEACHER}),
    "teacher": ({"teacher": {"lr": 0.05}}, TEACHER),
    "surrogate": (_digits("surrogate", warm={"ood": 3, "clean": 4}), STUDENTS),
    "vaccine": ({"vaccine": {"threshold": 0.5}}, SEARCH),
    "guard": ({"distill": {"guard": {"suspicious_weight": 0.2}}}, ABD),
    "distill": (_digits("distill", ood={"lr": 0.01}), STUDENTS),
    "another source": (_digits("distill", clean={"lr": 0.01}), {}),
    "retrospect": ({"retrospect": {"rounds": 3}}, {"retrospect_abd": 1, "evaluate": 1}),
    "title": ({"experiments": {"demo": {"title": "another"}}}, {"report": 1, "all": 1}),
    "a seed more": (with_grid(seeds=[0, 1]), STUDENTS),
    "a trigger more": (
        with_grid(triggers=["badnet_sq", "blend"]),
        {"poison": 1, **TEACHER},
    ),
}


def all_jobs(jobs):
    """The counts of jobs, with those of the reports where a model is evaluated anew."""
    return {**jobs, **REPORT} if "evaluate" in jobs else jobs


@pytest.mark.parametrize(("changes", "jobs"), EDITS.values(), ids=EDITS)
def test_an_edit_plans_what_it_concerns(copied, changes, jobs):
    """What trains is trained again only for what shapes it; a new cell concerns no old one."""
    copied.edit(changes)
    assert copied.planned() == all_jobs(jobs)


def test_comments_and_touches_plan_nothing(copied):
    path = copied.folder / "params.yaml"
    path.write_text(f"# a comment\n{path.read_text()}")
    for file in copied.folder.rglob("*"):
        if ".snakemake" not in file.parts:
            file.touch()
    assert copied.planned() == {}


def test_every_lost_file_is_remade_or_missed(copied):
    """Each file under results/ is one that the target asks for, whoever made it."""
    made = [
        path.relative_to(copied.folder)
        for path in (copied.folder / "results").rglob("*")
        if path.is_file() and path.name != "record.json"
    ]
    wanted = set(stage_files(load_plan(copied.folder / "params.yaml").wanted()))
    assert {str(path) for path in made} == wanted


@pytest.mark.parametrize(
    ("lost", "rule"),
    [
        ("fetch/digits/dataset.npz", "fetch"),
        ("poison/digits/badnet_sq/poisoned.npz", "poison"),
        (f"surrogate/{KEY}/cache.safetensors", "surrogate"),
        (f"vaccine/{KEY}/permutations.safetensors", "vaccine"),
        (f"retrospect/{KEY}/abd/student.safetensors", "retrospect_abd"),
    ],
)
def test_a_lost_file_is_made_again(copied, lost, rule):
    (copied.folder / "results" / lost).unlink()
    assert copied.planned()[rule] == 1


def test_a_target_that_is_not_there_is_told_of_those_that_are(finished):
    done = finished.snakemake("-n", "--", "demoo", check=False)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("demoo: expected an experiment of params.yaml (demo, digits, ")


def test_wrong_params_start_nothing(workflow):
    workflow.edit({"teacher": {"lr": -1, "epoch": 2}, "poison": {"target": 10}})
    done = workflow.snakemake(check=False)
    assert done.returncode == 1
    for line in (
        "teacher.lr: expected greater than 0, got -1",
        "teacher.epoch: expected no such key, got 2",
        "nothing was started",
    ):
        assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workflow.folder / "results").exists()


def test_a_damaged_artifact_is_named_with_its_rule(copied):
    teacher = "results/teacher/digits/badnet_sq/wrn-10-1-t0/teacher.safetensors"
    path = copied.folder / teacher
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = copied.snakemake(check=False)
    assert done.returncode == 1
    assert f"{teacher}: damaged" in done.stderr
    assert "written by rule teacher" in done.stderr
    remake = f"snakemake -R {teacher} -- {teacher}"
    assert remake in done.stderr
    copied.snakemake(*remake.split()[1:])
    assert (
        sha256(path)
        == _record(copied, "teacher/digits/badnet_sq/wrn-10-1-t0")["outputs"][
            "teacher.safetensors"
        ]
    )


def test_runs_are_sent_to_mlflow_once(copied):
    again = copied.run("abd", "track", "sync").stdout
    assert "0 run(s) sent, 3 unchanged" in again
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{copied.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("abd").experiment_id
    runs = {
        r.data.tags.get("defense", "teacher"): r for r in client.search_runs([experiment])
    }
    assert set(runs) == {"teacher", "none", "abd"}
    summary = json.loads((copied.folder / "reports/summary.json").read_text())
    assert runs["abd"].data.metrics["asr"] == summary[1]["asr"]
    params = runs["abd"].data.params
    assert params["retrospect.rounds"] == "2"
    assert params["teacher.epochs"] == "1", "of all stages that made it"
    assert params["poison.rate"] == "0.1"
    curve = client.get_metric_history(runs["abd"].info.run_id, "train.loss")
    assert [m.step for m in curve] == sorted({m.step for m in curve})
    assert curve[-1].step == TOTAL


def test_a_server_that_is_away_loses_nothing(copied):
    done = copied.run(
        "abd", "track", "sync", check=False,
        MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )  # fmt: skip
    assert done.returncode == 1
    assert "nothing is lost" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_goes_on_without_its_server(copied):
    """Jobs wait for nobody; what they made is sent when there is somebody again."""
    copied.edit({"retrospect": {"rounds": 3}})
    done = copied.snakemake(
        MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"
    )
    assert "nothing is lost" in done.stderr
    assert copied.planned() == {}
    assert "3 run(s) sent" in copied.run("abd", "track", "sync").stdout


def test_show_prints_the_table(finished):
    text = finished.run("abd", "show").stdout
    assert "badnet_sq" in text
    assert "reports/pages/demo.html" in text


@pytest.mark.slow
def test_the_table_is_of_what_was_asked_for_with_config(copied):
    copied.edit({"experiments": {"bare": BARE}})
    shown = copied.snakemake("--config", "run=[bare]").stdout
    assert "no remedy" in shown
    assert "tiny" not in shown
    assert "tiny" in copied.run("abd", "show").stdout, "params.yaml says demo"
    assert "no remedy" in copied.run("abd", "show", "bare").stdout


def test_show_before_a_run_says_what_to_do(workflow):
    done = workflow.run("abd", "show", check=False)
    assert done.returncode == 1
    assert "make it with: snakemake -c2 demo" in done.stderr


def test_the_page_is_self_contained(finished):
    page = (finished.folder / "reports/pages/demo.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*", page)
    assert not re.findall(r"url\((?!#)[^)]*|@import|<script|<link", page)
    assert page.count("<svg") == 5
    assert page.count("data:image/png;base64,") == 2, "preview and contact sheet"
    assert "prefers-color-scheme: dark" in page
    table = (finished.folder / "reports/pages/demo.md").read_text()
    for picture in (
        "triggers",
        "curves",
        "scores",
        "diagnosis",
        "rulegraph",
        "preview_digits_badnet_sq",
    ):
        assert f"../figures/demo/{picture}.png" in table
        assert (finished.folder / f"reports/figures/demo/{picture}.png").is_file()


def test_an_experiment_that_is_not_in_run(copied):
    """Its own table is shown, and it has a rule graph of its own."""
    copied.edit({"experiments": {"bare": BARE}})
    shown = copied.snakemake("bare").stdout
    assert "no remedy" in shown
    assert "reports/pages/bare.html" in shown
    assert "tiny" not in shown, "demo was not asked for"
    folder = copied.folder / "reports/rulegraphs"
    demo, bare = ((folder / f"{name}.dot").read_text() for name in ("demo", "bare"))
    assert 'label = "demo"' in demo
    assert 'label = "bare"' in bare
    assert 'label = "distill_plain"' in bare
    assert 'label = "vaccine"' in demo
    assert 'label = "vaccine"' not in bare


def test_an_experiment_that_cannot_run_says_so_when_asked_for(copied):
    grid = {**BARE["grids"][0], "dataset": "mnist"}
    copied.edit({"experiments": {"later": {"title": "later", "grids": [grid]}}})
    assert copied.planned() == {}
    done = copied.snakemake("-n", "later", check=False)
    assert done.returncode == 1
    assert "experiment later cannot run; nothing was started" in done.stderr
    assert "experiments.later.grids.dataset: expected one of " in done.stderr


def test_an_edited_rule_file_is_drawn_anew(copied):
    path = copied.folder / "rules/evaluate.smk"
    path.write_text(f"{path.read_text()}\n# a remark\n")
    assert copied.planned() == {"rulegraph": 1, "report": 1, "all": 1}


def test_the_report_can_be_made_by_snakemake(finished, tmp_path):
    page = tmp_path / "report.html"
    finished.snakemake("--report", str(page))
    text = page.read_text()
    for caption in ("as a monitor saw them", "under each draw of the search", "(ROC)"):
        assert caption in text
    for figure in ("curves", "scores", "diagnosis", "triggers", "rulegraph"):
        assert f"reports/figures/demo/{figure}.png" in text
