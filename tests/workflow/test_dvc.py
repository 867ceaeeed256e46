"""`dvc repro` runs the same DAG, and no more of it than an edit concerns."""

import json

import pytest
import yaml


@pytest.fixture
def versioned(copied):
    """The finished workflow in a Git repository with DVC."""
    # The pipeline's code is installed, not copied; DVC wants every dependency there.
    (copied.folder / "src").mkdir()
    (copied.folder / "src" / "here").touch()
    copied.run("git", "init", "--quiet")
    copied.run("dvc", "init", "--quiet")
    copied.run("dvc", "config", "cache.type", "reflink,copy")
    copied.run("git", "add", "-A")
    copied.run(
        "git", "-c", "user.name=test", "-c", "user.email=test@example.org",
        "commit", "--quiet", "-m", "start",
    )  # fmt: skip
    return copied


def test_repro_runs_what_an_edit_concerns(versioned):
    done = versioned.run("dvc", "repro")
    assert "start" not in done.stderr.replace("started", ""), "everything was there already"
    lock = yaml.safe_load((versioned.folder / "dvc.lock").read_text())
    assert lock["stages"]["study"]["cmd"] == "snakemake"

    teacher = versioned.folder / "results/teacher/digits/badnet_sq/wrn-10-1-t0"
    before = (teacher / "teacher.safetensors").stat().st_mtime_ns
    versioned.edit({"retrospect": {"rounds": 3}})
    done = versioned.run("dvc", "repro")
    started = {line.split()[1] for line in done.stderr.splitlines() if "  start " in line}
    assert started == {"retrospect_abd", "evaluate", "report", "summary", "all"}
    assert (teacher / "teacher.safetensors").stat().st_mtime_ns == before
    assert "up to date" in versioned.run("dvc", "status").stdout
    params = json.loads(versioned.run("dvc", "params", "diff", "--json").stdout)
    edited = params["params.yaml"]["retrospect.rounds"]
    assert (edited["old"], edited["new"]) == (2, 3)
    metrics = json.loads(versioned.run("dvc", "metrics", "show", "--json").stdout)
    assert "reports/summary.json" in metrics[""]["data"]
