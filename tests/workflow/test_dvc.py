"""DVC owns the versions: `dvc repro` re-runs what an edit concerns, and what was made can go
to a remote, to another clone and to another commit, and is known there."""

import csv
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
import yaml

from tests.workflow.conftest import ROOT, Workflow
from tests.workflow.test_demo import EDITS, KEY, REPORT, SEARCH, all_jobs

SR = f"results/retrospect/{KEY}/abd/student.safetensors"
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")


def _commit(workflow, message):
    workflow.run(*GIT, "add", "-A")
    workflow.run(*GIT, "commit", "--quiet", "-m", message)


def _started(done):
    """How many jobs of each rule a run of Snakemake inside DVC started."""
    return Counter(
        line.split()[1] for line in done.stderr.splitlines() if "  start " in line
    )


@pytest.fixture
def versioned(copied):
    """The finished workflow in a Git repository with DVC, its results committed to both."""
    # The pipeline's code is installed, not copied; DVC wants every dependency there.
    (copied.folder / "src").mkdir()
    (copied.folder / "src" / "here").touch()
    copied.run("git", "init", "--quiet")
    copied.run("dvc", "init", "--quiet")
    for name in ("config", "plots/percent.json"):
        (copied.folder / ".dvc" / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / ".dvc" / name, copied.folder / ".dvc" / name)
    assert not _started(copied.run("dvc", "repro")), "everything was there already"
    _commit(copied, "start")
    return copied


def test_repro_runs_what_an_edit_concerns(versioned):
    lock = yaml.safe_load((versioned.folder / "dvc.lock").read_text())
    assert lock["stages"]["study"]["cmd"] == "snakemake"

    teacher = versioned.folder / "results/teacher/digits/badnet_sq/wrn-10-1-t0"
    before = (teacher / "teacher.safetensors").stat().st_mtime_ns
    versioned.edit({"retrospect": {"rounds": 3}})
    started = _started(versioned.run("dvc", "repro"))
    assert started == {"retrospect_abd": 1, "evaluate": 1, **REPORT}
    assert (teacher / "teacher.safetensors").stat().st_mtime_ns == before
    head = versioned.run("git", "rev-parse", "HEAD").stdout.strip()
    record = json.loads((versioned.folder / SR).with_name("record.json").read_text())
    assert record["planned"]["commit"] == f"{head}-dirty", "params.yaml was edited"
    assert "up to date" in versioned.run("dvc", "status").stdout
    with closing(sqlite3.connect(versioned.folder / "mlflow.db")) as store:
        tag = "SELECT value FROM tags WHERE key = 'mlflow.source.git.commit'"
        assert head in {commit.removesuffix("-dirty") for (commit,) in store.execute(tag)}

    params = json.loads(versioned.run("dvc", "params", "diff", "--json").stdout)
    edited = params["params.yaml"]["retrospect.rounds"]
    assert (edited["old"], edited["new"]) == (2, 3)
    summary = json.loads((versioned.folder / "reports/summary.json").read_text())
    metrics = json.loads(versioned.run("dvc", "metrics", "show", "--json").stdout)
    shown = metrics[""]["data"]["reports/metrics.json"]["data"]["demo"]
    assert shown[f"{KEY}/abd"] == {"acc": summary[1]["acc"], "asr": summary[1]["asr"]}
    diff = json.loads(versioned.run("dvc", "metrics", "diff", "--json").stdout)
    changed = diff["reports/metrics.json"][f"demo.{KEY}/abd.asr"]
    assert changed["new"] == summary[1]["asr"] != changed["old"]
    plots = json.loads(versioned.run("dvc", "plots", "show", "--json").stdout)
    assert "errors" not in plots
    (attack,) = plots["data"]["Attack success rate"]
    bars = attack["content"]["data"]["values"]
    asr = [100 * record["asr"] for record in summary]
    assert [bar["asr"] for bar in bars[1:]] == pytest.approx(asr, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "jobs"), EDITS.values(), ids=EDITS)
def test_an_edit_runs_what_it_plans(versioned, changes, jobs):
    versioned.edit(changes)
    assert _started(versioned.run("dvc", "repro")) == all_jobs(jobs)
    assert versioned.planned() == {}


def test_comments_and_touches_run_nothing(versioned):
    for file in versioned.folder.rglob("*"):
        if not {".snakemake", ".git", ".dvc"} & set(file.parts):
            file.touch()
    assert "up to date" in versioned.run("dvc", "status").stdout
    path = versioned.folder / "params.yaml"
    path.write_text(f"# a comment\n{path.read_text()}")
    assert not _started(versioned.run("dvc", "repro"))


def test_another_commit_and_back(versioned):
    """What was made for either is known to be current, and to be what it was."""
    before = (versioned.folder / SR).read_bytes()
    versioned.edit({"retrospect": {"rounds": 3}})
    versioned.run("dvc", "repro")
    _commit(versioned, "three rounds")
    after = (versioned.folder / SR).read_bytes()
    assert after != before
    for commit, student in (("HEAD~1", before), ("-", after)):
        versioned.run("git", "checkout", "--quiet", commit)
        versioned.run("dvc", "checkout", "--quiet")
        assert (versioned.folder / SR).read_bytes() == student
        assert versioned.planned() == {}


def test_a_clone_pulls_what_was_pushed(versioned, tmp_path):
    """There nothing is to be done, and an edit concerns what it would have here."""
    versioned.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    versioned.run("dvc", "push", "--quiet")
    _commit(versioned, "with a remote")
    clone = Workflow(tmp_path / "clone")
    versioned.run("git", "clone", "--quiet", ".", str(clone.folder))
    clone.run("dvc", "pull", "--quiet")
    assert (clone.folder / SR).read_bytes() == (versioned.folder / SR).read_bytes()
    assert clone.planned() == {}
    clone.edit({"vaccine": {"threshold": 0.5}})
    assert clone.planned() == all_jobs(SEARCH)


def test_an_experiment_of_dvc(versioned):
    """`dvc exp run -S` edits, runs what that concerns, and shows both side by side."""
    done = versioned.run("dvc", "exp", "run", "-S", "retrospect.rounds=3")
    assert _started(done) == {"retrospect_abd": 1, "evaluate": 1, **REPORT}
    table = versioned.run("dvc", "exp", "show", "--csv").stdout
    rows = list(csv.DictReader(table.splitlines()))
    assert {row["retrospect.rounds"] for row in rows} == {"2", "3"}
    (asr,) = [name for name in rows[0] if name.endswith("/abd.asr")]
    assert all(0 <= float(row[asr]) <= 1 for row in rows)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("dvc", "push"), "no remote"),
        (("dvc", "pull", "-r", "nowhere"), "nowhere"),
    ],
)
def test_a_remote_that_is_not_there(versioned, command, words):
    done = versioned.run(*command, check=False)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_remote_whose_host_does_not_answer(versioned):
    """Neither does a push; what is here stays, and goes there when it is back."""
    versioned.run("dvc", "remote", "add", "-d", "store", "http://127.0.0.1:9/abd")
    done = versioned.run("dvc", "push", check=False)
    assert done.returncode != 0
    assert "Cannot connect to host 127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert versioned.planned() == {}


def test_a_remote_that_is_not_mounted(versioned, tmp_path):
    """A clone that pulls says what it lacks, and does not pass for complete."""
    versioned.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    _commit(versioned, "a remote that nothing was pushed to")
    clone = Workflow(tmp_path / "clone")
    versioned.run("git", "clone", "--quiet", ".", str(clone.folder))
    done = clone.run("dvc", "pull", check=False)
    assert done.returncode != 0
    assert "Checkout failed for following targets" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_repository_that_is_locked(versioned):
    """The second `dvc repro` says who has the lock; the first goes on."""
    versioned.edit({"teacher": {"by_dataset": {"digits": {"epochs": 2}}}})
    first = versioned.start("dvc", "repro")
    for line in first.stderr:
        if "  start " in line:
            break
    second = versioned.run("dvc", "repro", check=False)
    first.communicate(timeout=240)
    assert first.returncode == 0
    assert second.returncode != 0
    assert f"(PID {first.pid})" in second.stderr
    assert "Traceback" not in second.stderr
