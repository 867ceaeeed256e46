"""What befalls jobs on a cluster: each ends with every result, and the same bytes."""

import re
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cluster.conftest import METRICS, N_EPOCHS, RUNTIME, TEACHER, submitted, until
from tests.workflow.conftest import jobs_of

pytestmark = pytest.mark.cluster
LOG = "logs/teacher/digits/badnet_sq/wrn-10-1-t0.log"
FILES = (f"{TEACHER}/teacher.safetensors", f"{TEACHER}/history.jsonl", METRICS)


def _same(workflow, reference):
    """The results are those of a run without a fault, byte by byte, and so is its curve."""
    for name in FILES:
        ours, theirs = (w.folder / name for w in (workflow, reference))
        assert ours.read_bytes() == theirs.read_bytes(), name
    assert _curve(workflow) == _curve(reference)


def _curve(workflow):
    """What MLflow has of the one run there: every attempt went on in it."""
    with closing(sqlite3.connect(workflow.folder / "mlflow.db")) as store:
        points = store.execute(
            "SELECT run_uuid, step, value FROM metrics WHERE key = 'train.loss' ORDER BY step"
        ).fetchall()
    assert len({run for run, _, _ in points}) == 1
    assert [step for _, step, _ in points] == list(range(1, N_EPOCHS + 1))
    return [value for _, _, value in points]


def _went_on(workflow):
    """The teacher's last attempt began where the one before had come to."""
    assert "going on from the working checkpoint" in (workflow.folder / LOG).read_text()


def _training(slurm, workflow, *, saved=True):
    """Wait until the teacher has some epochs behind it, and has saved them; its job."""
    log = workflow.folder / LOG
    work = workflow.folder / "work/teacher/digits/badnet_sq/wrn-10-1-t0"

    def job():
        running = slurm.jobs("teacher", "R")
        far = log.is_file() and f"progress 4/{N_EPOCHS}" in log.read_text()
        there = (work / "checkpoint.safetensors").is_file()
        return running if running and far and there == saved else None

    return until(job, "the teacher to train")[-1]


def _abd(workflow):
    """The process that trains."""
    (process,) = jobs_of(workflow, "teacher")
    return process


def _waits(process, number):
    """Whether a signal waits for a process that was stopped."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    masks = (line.split()[1] for line in status.splitlines() if line[3:6] == "Pnd")
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


@contextmanager
def _paused(workflow):
    """Stop the process that trains; after the block it goes on when it is told to end."""
    abd = _abd(workflow)
    abd.suspend()
    yield
    until(lambda: _waits(abd, signal.SIGTERM), "the signal to end")
    abd.resume()


@pytest.fixture
def faulty(small, slurm):
    """A run of the teacher that is under way: the submission and its job."""
    first = slurm.next_id()
    with submitted(small, slurm, "--", METRICS) as run:
        yield run, _training(slurm, small), first


def _attempts(slurm, first, *fields):
    """The fields of the teacher's jobs since `first`, one after the other."""
    rows = slurm.accounted(first, *fields)
    return [row[2:] for row in rows if "rule_teacher" in row[1]]


def test_cancelled(small, slurm, reference):
    """It saves before it ends, and its retry goes on from there."""
    first = slurm.next_id()
    with submitted(small, slurm, "--", METRICS, checkpoint_seconds=3600) as run:
        job = _training(slurm, small, saved=False)
        slurm.run("scancel", str(job))
        run.finish()
    _same(small, reference)
    _went_on(small)
    states = [state for (state,) in _attempts(slurm, first, "State")]
    assert len(states) == 2
    assert states[0].startswith("CANCELLED")
    assert states[1] == "COMPLETED"


def test_killed(faulty, slurm, reference):
    """The retry goes on from the checkpoint, and asks for more memory."""
    run, _, first = faulty
    _abd(run.workflow).kill()
    run.finish()
    _same(run.workflow, reference)
    attempts = _attempts(slurm, first, "State", "ReqMem")
    assert [state for state, _ in attempts] == ["FAILED", "COMPLETED"]
    asked = [float(memory.rstrip("M")) for _, memory in attempts]
    assert asked[1] == 2 * asked[0]
    _went_on(run.workflow)


def test_drained(faulty, slurm, reference):
    """A node that is drained ends what it has; the rest goes to the other."""
    run, job, first = faulty
    node = slurm.node_of(job)
    slurm.run("scontrol", "update", f"node={node}", "state=drain", "reason=test")
    try:
        run.finish()
    finally:
        slurm.run("scontrol", "update", f"node={node}", "state=resume")
    _same(run.workflow, reference)
    assert _attempts(slurm, first, "State", "NodeList") == [["COMPLETED", node]]
    (evaluation,) = [
        r for r in slurm.accounted(first, "NodeList") if "rule_evaluate" in r[1]
    ]
    assert evaluation[2] != node


def test_node_lost(faulty, slurm, reference):
    """Slurm sees that a node is gone, and starts its job again on another."""
    run, job, first = faulty
    node = slurm.node_of(job)
    lost = slurm.processes_on(node)
    assert any("teacher" in process.cmdline() for process in lost)
    slurm.daemon(f"slurmd-{node}").kill()
    for process in lost:
        process.kill()
    try:
        run.finish()
    finally:
        slurm.start(f"slurmd-{node}", "slurmd", "-D", "-N", node)
        until(lambda: f"{node} idle" in slurm.run("sinfo", "-h", "-N", "-o", "%N %T"), node)
    _same(run.workflow, reference)
    states = [tuple(row) for row in _attempts(slurm, first, "State", "NodeList")]
    assert len(states) == 2
    assert states[0] in (("NODE_FAIL", node), ("REQUEUED", node))
    assert states[1][0] == "COMPLETED"
    assert states[1][1] != node
    _went_on(run.workflow)


def test_controller_away(faulty, slurm, reference):
    run, _, first = faulty
    controller = slurm.daemon("slurmctld")
    controller.terminate()
    until(lambda: slurm.daemon("slurmctld") is None, "the controller to end")
    time.sleep(25)
    slurm.start("slurmctld", "slurmctld", "-D")
    run.finish()
    _same(run.workflow, reference)
    assert [state for (state,) in _attempts(slurm, first, "State")] == ["COMPLETED"]


def test_interrupted(faulty, slurm, reference):
    """Ctrl-C cancels the jobs, which save; the next call goes on."""
    run, _, first = faulty
    with _paused(run.workflow):
        run.process.send_signal(signal.SIGINT)
    assert run.process.wait(RUNTIME) != 0
    with submitted(run.workflow, slurm, "--", METRICS) as again:
        again.finish()
    _same(run.workflow, reference)
    states = [state for (state,) in _attempts(slurm, first, "State")]
    assert states[0].startswith("CANCELLED")
    assert states[1:] == ["COMPLETED"]
    _went_on(run.workflow)


def test_snakemake_killed(faulty, slurm, reference):
    """Its job goes on; what that has made is kept, and an edit concerns it as ever."""
    run, _, first = faulty
    run.process.kill()
    run.process.wait()
    until(lambda: not slurm.jobs("teacher", "R", "CG", "PD"), "the teacher to end")
    workflow, target = run.workflow, f"{TEACHER}/teacher.safetensors"
    workflow.snakemake("--unlock")
    assert workflow.planned(target) == {}
    workflow.snakemake("--", METRICS)
    _same(workflow, reference)
    assert [state for (state,) in _attempts(slurm, first, "State")] == ["COMPLETED"]
    workflow.edit({"teacher": {"by_dataset": {"digits": {"epochs": N_EPOCHS + 1}}}})
    assert workflow.planned(target) == {"teacher": 1}


def test_out_of_memory(small, slurm, reference):
    """Too little at first; every retry has more."""
    first = slurm.next_id()
    tight = ("--set-resources", "teacher:mem_mb=attempt*600")
    with submitted(small, slurm, *tight, "--", METRICS) as run:
        run.finish()
    _same(small, reference)
    attempts = _attempts(slurm, first, "State", "ReqMem")
    assert len(attempts) >= 2
    assert attempts[0][0] in ("OUT_OF_MEMORY", "FAILED"), "by what the job says of its step"
    assert attempts[-1][0] == "COMPLETED"
    asked = [float(memory.rstrip("M")) for _, memory in attempts]
    assert asked == [600 * (i + 1) for i in range(len(asked))]
    said = " ".join(p.read_text() for p in (small.folder / "logs/slurm").rglob("*.log"))
    assert re.search("oom-kill event|exceeded (job )?memory limit", said, re.IGNORECASE)


def test_time_limit(small, slurm, reference):
    """At the limit it saves, and its retry goes on from there."""
    first = slurm.next_id()
    limit = ("--set-resources", "teacher:runtime=1 if attempt == 1 else 60")
    target = (*limit, "--", METRICS)
    with submitted(small, slurm, *target, checkpoint_seconds=3600) as run:
        _training(slurm, small, saved=False)
        with _paused(small):  # a minute without work
            pass
        run.finish()
    _same(small, reference)
    states = [state for (state,) in _attempts(slurm, first, "State")]
    assert states == ["TIMEOUT", "COMPLETED"]
    _went_on(small)
