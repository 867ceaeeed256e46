"""Single stages on the results of a finished workflow: edges, monitors, kills."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from abd.distillation import Distillation
from abd.errors import AbdError
from abd.nets import build_net
from abd.sources.ood import OodSource
from abd.stages.distilling import load_teacher, make_source, new_student
from abd.stages.job import Job, run_job
from abd.stages.load import use_numerics
from abd.state import State
from abd.storage.checkpoints import read_state, read_tensors
from abd.storage.files import sha256
from abd.storage.working import WorkingCheckpoints
from tests.workflow.killing import stopped_at_a_save
from tests.workflow.test_demo import KEY, TOTAL

ABD = (sys.executable, "-m", "abd")
PLAIN = Path(f"results/distill/{KEY}/plain")
SR = Path(f"results/retrospect/{KEY}/abd")
TEST = Path("results/poison/digits/badnet_sq/test.npz")
STAGES = {
    "teacher": Path("results/teacher/digits/badnet_sq/wrn-10-1-t0"),
    "surrogate": Path(f"results/surrogate/{KEY}"),
    "distill": PLAIN,
    "retrospect": SR,
}
NAMES = {  # inputs by the file that each option takes
    "dataset.npz": "dataset", "poisoned.npz": "poisoned", "test.npz": "monitor",
    "teacher.safetensors": "teacher", "patches.npz": "pool", "warm.safetensors": "warm",
    "lambda.safetensors": "state", "student.safetensors": "final", "vaccine.json": "vaccine",
    "permutations.safetensors": "permutations",
}  # fmt: skip
OUTPUTS = {
    "teacher": {"weights": "teacher.safetensors", "history": "history.jsonl"},
    "surrogate": {"cache": "cache.safetensors", "warm": "warm.safetensors", "history": "history.jsonl"},
    "distill": {"state": "lambda.safetensors", "student": "student.safetensors", "history": "history.jsonl"},
    "retrospect": {"student": "student.safetensors", "history": "history.jsonl", "decision": "decision.json"},
}  # fmt: skip


def _inputs(stage, record):
    inputs = {NAMES[Path(path).name]: Path(path) for path in record["inputs"]}
    if stage == "teacher":
        inputs["test"] = inputs.pop("monitor")
    return inputs


def _again(folder, stage, other=(), **config):
    """Run the job that made STAGES[stage] once more, into `folder`; return the digests.

    `other` inputs take the place of its own; None leaves one out.
    """
    record = json.loads((STAGES[stage] / "record.json").read_text())
    inputs = {**_inputs(stage, record), **dict(other)}
    inputs = {name: path for name, path in inputs.items() if path is not None}
    outputs = {name: Path(folder) / file for name, file in OUTPUTS[stage].items()}
    run_job(stage, {**record["config"], **config}, record["code"], inputs, outputs)
    return {file.name: sha256(file) for file in outputs.values()}


def _made(stage):
    return json.loads((STAGES[stage] / "record.json").read_text())["outputs"]


def _plain_config():
    return json.loads((PLAIN / "record.json").read_text())["config"]


def _plain_distillation():
    """The loop of the plain distill job at round 0, outside its stage."""
    record = json.loads((PLAIN / "record.json").read_text())
    job = Job("distill", record["config"], _inputs("distill", record), {}, "")
    device = use_numerics(record["config"]["numerics"])
    source = make_source(job, load_teacher(job, device), device)
    return Distillation(new_student(job, device), source, seed=0, log_every=2)


def _assert_plain_student(distillation):
    tensors, _ = read_tensors(PLAIN / "student.safetensors")
    for name, value in distillation.student.state_dict().items():
        assert torch.equal(tensors[name], value), name


@pytest.mark.usefixtures("inside")
class TestEdges:
    def test_plain_distillation_is_one_unbroken_run(self):
        """Surrogate stage and distill stage together are a run that never stopped."""
        distillation = _plain_distillation()
        list(distillation.run(TOTAL))
        _assert_plain_student(distillation)

    def test_the_state_at_lambda_leads_to_the_final_student(self):
        """Going on from it without SR gives the plain student."""
        distillation = _plain_distillation()
        distillation.load(read_state(PLAIN / "lambda.safetensors"))
        assert distillation.position == _plain_config()["lambda"]
        list(distillation.run(TOTAL))
        _assert_plain_student(distillation)

    @pytest.mark.parametrize("stage", STAGES)
    def test_a_job_run_again_gives_the_same_bytes(self, stage, tmp_path):
        assert _again(tmp_path / "again", stage) == _made(stage)


@pytest.mark.usefixtures("inside")
def test_the_vaccine_may_stay_in_force_while_the_student_retrospects(tmp_path):
    vaccine = {"members": 2, "n_conv": 1}
    guard = {
        "guard": "first",
        "vaccine": vaccine,
        "vaccine_guard": {"suspicious_weight": 0.0},
    }
    force = {"force": True, "defense": "abd"}
    found = tmp_path / "vaccine.json"
    found.write_text(json.dumps({"found": True}))
    without = _again(tmp_path / "without", "retrospect", {"vaccine": found}, **force)
    with_it = _again(tmp_path / "with", "retrospect", {"vaccine": found}, **force, **guard)
    assert without["student.safetensors"] != with_it["student.safetensors"]


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("stage", ["distill", "retrospect"])
class TestMonitor:
    """The monitor shows; nothing learns from it."""

    def test_random_numbers_change_no_student(self, stage, tmp_path, monkeypatch):
        dice = random.Random(0)
        monkeypatch.setattr(
            "abd.monitor.EvalMonitor.__call__",
            lambda self, net: {"acc": dice.random(), "asr": dice.random()},
        )
        again, made = _again(tmp_path / "again", stage), _made(stage)
        history = again.pop("history.jsonl")
        assert history != made.pop("history.jsonl"), "the numbers do reach the history"
        assert again == made

    def test_none_changes_no_student(self, stage, tmp_path):
        again, made = _again(tmp_path / "again", stage, {"monitor": None}), _made(stage)
        made.pop("history.jsonl")
        again.pop("history.jsonl")
        assert again == made


def test_the_defenders_stages_know_neither_test_data_nor_trigger(inside):
    """Besides the monitor, no input of a deciding stage comes from the poisoning."""
    for path in (inside.folder / "results").rglob("record.json"):
        record = json.loads(path.read_text())
        if record["stage"] in ("surrogate", "vaccine", "distill", "retrospect"):
            diagnoses = [p for p in record["inputs"] if "/evaluate/" in p or "/score/" in p]
            assert not diagnoses
            foreign = [p for p in record["inputs"] if "/poison/" in p]
            assert set(foreign) <= {str(TEST)}
            assert record["stage"] in ("distill", "retrospect") or not foreign
            assert "badnet_sq" not in json.dumps(record["config"])


@pytest.mark.usefixtures("inside")
class TestRefusals:
    def test_other_code_than_planned(self, tmp_path):
        record = json.loads((PLAIN / "record.json").read_text())
        with pytest.raises(AbdError, match="edited since; start snakemake again"):
            run_job("distill", record["config"], "0" * 16, {}, {"state": tmp_path / "x"})

    def test_a_teacher_without_a_backdoor(self, tmp_path):
        record = json.loads((STAGES["teacher"] / "record.json").read_text())
        settings = {**record["config"]["teacher"], "min_asr": 1.0, "lr": 1e-9}
        with pytest.raises(AbdError, match="no backdoor to defend against"):
            _again(tmp_path / "again", "teacher", teacher=settings)
        assert not (tmp_path / "again" / "teacher.safetensors").exists()

    def test_a_teacher_of_another_size(self, tmp_path):
        with pytest.raises(AbdError, match="expected weights that fit the network, got"):
            _again(tmp_path / "again", "distill", teacher_net="wrn-16-1")


def _arguments(stage, folder):
    record = json.loads((STAGES[stage] / "record.json").read_text())
    options = {
        **_inputs(stage, record),
        **{k: folder / v for k, v in OUTPUTS[stage].items()},
    }
    return [
        stage, "--config", json.dumps(record["config"]),
        "--code", record["code"], *(f"--{k}={v}" for k, v in options.items()),
    ]  # fmt: skip


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("stage", "kind", "status"),
    [
        ("teacher", signal.SIGTERM, 75),
        ("surrogate", signal.SIGUSR1, 75),
        ("distill", signal.SIGKILL, -9),
        ("retrospect", signal.SIGINT, 75),
    ],
)
def test_a_stopped_stage_goes_on_with_the_same_bits(stage, kind, status, tmp_path):
    folder = tmp_path / "again"
    stopped = stopped_at_a_save(_arguments(stage, folder), kind)
    assert stopped.returncode == status, stopped.stderr
    assert not list(folder.glob("*.safetensors"))
    if kind != signal.SIGKILL:
        assert f"stopped by {kind.name}" in stopped.stderr
    again = subprocess.run(
        [*ABD, *_arguments(stage, folder)], capture_output=True, text=True, check=True
    )
    assert "going on from the working checkpoint" in again.stderr
    assert {p.name: sha256(p) for p in folder.iterdir() if p.name in _made(stage)} == _made(
        stage
    )


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("stage", ["teacher", "distill"])
def test_where_a_checkpoint_is_torn_the_one_before_serves(stage, tmp_path):
    folder, work = tmp_path / "again", tmp_path / "again" / "work"
    killed = stopped_at_a_save(_arguments(stage, folder), signal.SIGKILL, n_saved=2)
    assert killed.returncode == -9, killed.stderr
    latest = work / "checkpoint.safetensors"
    data = latest.read_bytes()
    latest.write_bytes(data[: len(data) // 2])
    again = subprocess.run(
        [*ABD, *_arguments(stage, folder)], capture_output=True, text=True, check=True
    )
    (line,) = [said for said in again.stderr.splitlines() if "discarded" in said]
    assert "checkpoint.safetensors" in line
    assert "going on from the working checkpoint" in again.stderr
    made = {p.name: sha256(p) for p in folder.iterdir() if p.name in _made(stage)}
    assert made == _made(stage)


LIMITED = """
import resource, sys
import abd.stages.distill, abd.stages.watch
from abd.cli import main

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20,) * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.usefixtures("inside")
def test_too_little_memory_is_said_in_one_line(tmp_path):
    arguments = _arguments("distill", tmp_path / "again")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = [said for said in done.stderr.splitlines() if "progress" not in said]
    assert line.startswith("abd: error: distill: expected enough memory, got: ")
    assert not list((tmp_path / "again").glob("*.safetensors"))


def test_a_checkpoint_of_another_job_is_discarded(inside, tmp_path, capfd):
    folder = tmp_path / "again"
    path = folder / "work" / "checkpoint.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes((inside.folder / PLAIN / "lambda.safetensors").read_bytes())
    assert _again(folder, "distill") == _made("distill")
    assert "working checkpoint discarded" in capfd.readouterr().err


def _fail(monkeypatch, folder, step):
    """Run the distill job into `folder`, keeping every state, until `step`, which diverges."""
    record = json.loads((PLAIN / "record.json").read_text())
    warm = read_state(_inputs("distill", record)["warm"]).values["position"]
    loss, n_calls = OodSource.loss, [0]

    def diverged(source, logits, batch):
        value = loss(source, logits, batch)
        n_calls[0] += 1
        return value * float("inf" if n_calls[0] == step - warm else 1)

    with monkeypatch.context() as patched:
        patched.setenv("ABD_CHECKPOINT_SECONDS", "0")
        patched.setattr(OodSource, "loss", diverged)
        with pytest.raises(AbdError, match="finite"):
            _again(folder, "distill")


def test_a_mark_of_another_job_is_not_taken_for_this_ones(
    inside, tmp_path, monkeypatch, capfd
):
    """The state at lambda that a stopped job kept goes with its checkpoint, or not at all."""
    folder, work = tmp_path / "again", tmp_path / "again" / "work"
    _fail(monkeypatch, folder, step=_plain_config()["lambda"] + 2)
    WorkingCheckpoints(work, "another").mark("lambda", State())
    assert _again(folder, "distill") == _made("distill")
    assert "is of other params, code or inputs" in capfd.readouterr().err
    assert not list(work.iterdir())


def test_a_state_that_is_not_finite_is_never_kept(inside, tmp_path, monkeypatch):
    folder = tmp_path / "again"
    _fail(monkeypatch, folder, step=7)
    kept = read_state(folder / "work" / "checkpoint.safetensors")
    assert kept.values["position"] == 6
    assert not kept.not_finite()
    assert not (folder / "student.safetensors").exists()


def test_networks_differ_by_seed():
    from abd.seeding import torch_stream

    a, b = (build_net("wrn-10-1", 4, torch_stream(s, "student", "init")) for s in (0, 1))
    assert not torch.equal(a.linear.weight, b.linear.weight)


@pytest.mark.usefixtures("inside")
def test_a_second_process_takes_what_the_first_makes(tmp_path):
    """It waits for it, and makes nothing itself."""
    folder = tmp_path / "again"
    logs = [tmp_path / "first", tmp_path / "second"]
    processes = []

    def start(log):
        with log.open("w") as file:
            command = [*ABD, *_arguments("distill", folder)]
            processes.append(subprocess.Popen(command, stderr=file))

    def until(there):
        end = time.monotonic() + 120
        while not there():
            assert time.monotonic() < end, [log.read_text() for log in logs]
            time.sleep(0.005)

    try:
        start(logs[0])
        lock = folder / "work/lock"
        until(lambda: lock.is_file() and lock.read_text())
        processes[0].send_signal(signal.SIGSTOP)
        start(logs[1])
        until(lambda: "waiting for it to end" in logs[1].read_text())
        processes[0].send_signal(signal.SIGCONT)
        assert [process.wait(120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    said = logs[1].read_text()
    assert f"distill: process {processes[0].pid} on " in said
    assert "the results are those of that process" in said
    assert "progress" not in said
    assert {p.name: sha256(p) for p in folder.iterdir() if p.name in _made("distill")} == (
        _made("distill")
    )
