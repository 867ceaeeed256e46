"""MLflow ends with every metric exactly once, whatever befell jobs and server."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from abd.provenance.usage import job_seconds
from abd.storage.results import read_curve
from tests.workflow.conftest import (
    clean_environment,
    free_port,
    jobs_of,
    made_once,
    make_workflow,
    with_grid,
)
from tests.workflow.test_demo import KEY

SEEDS = range(8)
N_JOBS = 2 * len(SEEDS)
KILLS = 6


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """Sixteen students, made by sixteen jobs at once, of which some were killed."""
    return made_once(tmp_path_factory, "many", _make_many)


def _make_many(folder):
    workflow = make_workflow(folder)
    workflow.edit(with_grid(defenses=["none", "sv"], seeds=list(SEEDS)))
    run = workflow.start(
        "snakemake", f"-c{N_JOBS}", "--retries", "4", ABD_SAMPLE_SECONDS="0.5"
    )
    n_killed, at_once = 0, 0
    while run.poll() is None:
        jobs = jobs_of(workflow)
        at_once = max(at_once, len(jobs))
        if at_once == N_JOBS and jobs and n_killed < KILLS:
            with suppress(psutil.NoSuchProcess):
                jobs[n_killed % len(jobs)].kill()
                n_killed += 1
        time.sleep(0.2)
    assert run.returncode == 0, run.stderr.read()
    assert at_once == N_JOBS
    assert n_killed == KILLS


def _expected(workflow):
    """How often each metric is to be there, by the name of its run; from the histories."""
    folder = workflow.folder
    teacher = "results/teacher/digits/badnet_sq/wrn-10-1-t0/history.jsonl"
    runs = {"digits badnet_sq teacher t0": [teacher]}
    for seed in SEEDS:
        key = f"digits/badnet_sq/wrn-10-1-t0/ood/wrn-10-1-s{seed}"
        plain = [
            f"results/{s}/history.jsonl"
            for s in (f"surrogate/{key}", f"distill/{key}/plain")
        ]
        runs[f"digits badnet_sq ood none s{seed}"] = plain
        runs[f"digits badnet_sq ood sv s{seed}"] = [
            f"results/distill/{key}/first/history.jsonl"
        ]
    names = {
        "loss": "train.loss",
        "classes": "train.classes",
        "acc": "monitor.acc",
        "asr": "monitor.asr",
    }
    counts = {}
    for run, histories in runs.items():
        curve = read_curve(folder / history for history in histories)
        points = Counter(
            (names.get(name, name), point["step"])
            for point in curve
            for name in point
            if name != "step"
        )
        points += _samples(folder, histories)
        last = curve[-1]["step"]
        counts[run] = points + Counter([("acc", last), ("asr", last)])
    return counts


def _samples(folder, histories):
    """The system metrics of a run, by name and time, from its jobs' samples."""
    stages = [Path(history).parent.relative_to("results") for history in histories]
    files = [folder / f"benchmarks/{stage}.system.jsonl" for stage in stages]
    samples = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return Counter(
        (f"system/{name}", sample["time"])
        for sample in samples
        if "time" in sample
        for name in sample
        if name != "time"
    )


def _found(database):
    """How often each metric is in an MLflow database, by step or, of the system, by time."""
    counts = {}
    with sqlite3.connect(database) as connection:
        for name, key, step, moment in connection.execute(
            "select name, key, step, timestamp from metrics join runs using (run_uuid)"
        ):
            where = moment if key.startswith("system/") else step
            counts.setdefault(name, Counter())[key, where] += 1
        states = connection.execute("select status from runs")
        assert {state for (state,) in states} == {"FINISHED"}
        (n_runs,) = connection.execute("select count(*) from runs").fetchone()
    assert n_runs == len(counts), "no run is there twice, and none is empty"
    return counts


def test_every_metric_is_there_exactly_once(many):
    """In the local default; the run itself has sent them at its end."""
    assert _found(many.folder / "mlflow.db") == _expected(many)
    for _ in range(2):
        assert "0 run(s) sent, 17 unchanged" in many.run("abd", "track", "sync").stdout
    assert _found(many.folder / "mlflow.db") == _expected(many)


@contextmanager
def _server(folder, port):
    """An MLflow server with its database in `folder`."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
            "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{folder}/server.db",
            "--artifacts-destination", str(folder / "artifacts"),
        ],
        cwd=folder, start_new_session=True,
        env={**clean_environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 120
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        assert time.monotonic() < end, "the server did not come up"
        time.sleep(0.2)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _n_runs(folder):
    """How many runs a server's database holds by now."""
    with (
        suppress(sqlite3.OperationalError),
        sqlite3.connect(f"file:{folder}/server.db?mode=ro", uri=True) as connection,
    ):
        return connection.execute("select count(*) from runs").fetchone()[0]
    return 0


def test_a_server_that_dies_in_the_middle_and_comes_back(many, tmp_path):
    port = free_port()
    environment = {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    with _server(tmp_path, port) as server:
        sending = many.start("abd", "track", "sync", **environment)
        while _n_runs(tmp_path) < 5:
            assert sending.poll() is None, sending.stderr.read()
            time.sleep(0.02)
        os.killpg(server.pid, signal.SIGKILL)
        _, error = sending.communicate(timeout=120)
    assert sending.returncode == 1
    assert "nothing is lost" in error
    assert len(error.splitlines()) == 1
    assert _n_runs(tmp_path) < 17

    with _server(tmp_path, port):
        said = many.run("abd", "track", "sync", **environment).stdout
        assert "unchanged" in said
        assert "0 run(s) sent" not in said
        again = many.run("abd", "track", "sync", **environment).stdout
        assert "0 run(s) sent, 17 unchanged" in again
    assert _found(tmp_path / "server.db") == _expected(many)


def test_a_run_says_where_it_is_from_and_shows_its_figures(many):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{many.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("abd").experiment_id
    runs = client.search_runs([experiment], filter_string="tags.defense = 'sv'")
    assert {r.data.tags["seed"] for r in runs} == {str(seed) for seed in SEEDS}
    run = runs[0]
    tags = run.data.tags
    assert (tags["dataset"], tags["trigger"], tags["source"]) == (
        "digits",
        "badnet_sq",
        "ood",
    )
    assert tags["experiments"] == "demo"
    (plan,) = {p.stem for p in (many.folder / ".snakemake/params").glob("*.yaml")}
    assert tags["params"] == plan
    uri = Path(run.info.artifact_uri.removeprefix("file://"))
    files = {str(p.relative_to(uri)) for p in uri.rglob("*") if p.is_file()}
    assert "preview.png" in files
    assert "figures/demo/curves.png" in files
    samples = client.get_metric_history(run.info.run_id, "system/memory_megabytes")
    key = f"digits/badnet_sq/wrn-10-1-t0/ood/wrn-10-1-s{tags['seed']}/first"
    lines = (
        (many.folder / f"benchmarks/distill/{key}.system.jsonl").read_text().splitlines()
    )
    assert len(samples) == len(lines) - 1 > 0, "the first line says whose they are"
    assert all(100 < sample.value < 8000 for sample in samples)
    assert json.loads(lines[1])["time"] == samples[0].timestamp


def test_a_run_lasts_as_long_as_the_jobs_of_its_curve(finished):
    """ABD found no vaccine: its curve begins with the plain run's, not with a copy's."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{finished.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("abd").experiment_id
    (run,) = client.search_runs([experiment], filter_string="tags.defense = 'abd'")
    jobs = (f"surrogate/{KEY}", f"distill/{KEY}/plain", f"retrospect/{KEY}/abd")
    took = sum(job_seconds(finished.folder / f"benchmarks/{job}.tsv") for job in jobs)
    assert run.info.end_time - run.info.start_time == round(1000 * took)
    assert run.info.end_time <= 1000 * time.time()


def test_the_latest_run_of_a_model_is_told_from_older_ones(copied):
    """Also after an older commit's results are back, of which MLflow holds every run."""
    from mlflow import MlflowClient

    def latest():
        client = MlflowClient(f"sqlite:///{copied.folder}/mlflow.db")
        experiment = client.get_experiment_by_name("abd").experiment_id
        runs = client.search_runs([experiment], filter_string="tags.defense = 'abd'")
        return {r.data.params["retrospect.rounds"]: r.data.tags["latest"] for r in runs}

    assert latest() == {"2": "yes"}
    before = copied.folder / "before"
    shutil.copytree(copied.folder / "results", before)
    copied.edit({"retrospect": {"rounds": 1}})
    copied.snakemake()
    assert latest() == {"2": "no", "1": "yes"}
    shutil.rmtree(copied.folder / "results")
    before.rename(copied.folder / "results")
    copied.run("abd", "track", "sync")
    assert latest() == {"2": "yes", "1": "no"}


def test_a_student_that_is_not_yet_evaluated_anew_is_not_sent(copied):
    """Its old figures are of another student; as they lie there after a run that failed."""
    copied.edit({"retrospect": {"rounds": 1}})
    copied.snakemake("--", f"results/retrospect/{KEY}/abd/student.safetensors")
    said = copied.run("abd", "track", "sync").stdout
    assert "0 run(s) sent, 2 unchanged" in said, "the teacher, and the plain student"
    copied.snakemake()
    assert "0 run(s) sent, 3 unchanged" in copied.run("abd", "track", "sync").stdout


def test_damaged_results_are_named_and_not_sent(copied):
    """A wrong figure would stay for ever: MLflow keeps both of two values."""
    metrics = copied.folder / f"results/evaluate/{KEY}/abd/metrics.json"
    history = copied.folder / "results/teacher/digits/badnet_sq/wrn-10-1-t0/history.jsonl"
    metrics.write_text(metrics.read_text().replace('"acc": 0', '"acc": 1'))
    history.write_text("")
    done = copied.run("abd", "track", "sync", check=False)
    assert done.returncode == 1
    assert "0 run(s) sent, 1 unchanged" in done.stdout
    head, *lines = done.stderr.splitlines()
    assert head == "abd: error: MLflow: 2 run(s) not sent"
    for line, path in zip(lines, (metrics, history), strict=True):
        assert f"{path.relative_to(copied.folder)}: damaged: expected sha256" in line
    for path, text in ((metrics, "[]"), (metrics.with_name("record.json"), "{}")):
        path.write_text(text)
        done = copied.run("abd", "track", "sync", check=False)
        assert "Traceback" not in done.stderr
        assert "2 run(s) not sent" in done.stderr
