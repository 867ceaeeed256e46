"""Whole runs on a cluster: shared GPUs, and the demo, which ends as it does here."""

from collections import Counter
from datetime import datetime

import pytest

from abd.storage.files import sha256
from tests.cluster.conftest import submitted
from tests.workflow.conftest import Workflow, copy_workflow

pytestmark = pytest.mark.cluster
TRIGGERS = ("badnet_grid", "badnet_sq", "blend", "l0_inv")


def _most_at_once(rows):
    """How many of (start, end) overlap at most; one may start as another ends."""
    times = [tuple(map(datetime.fromisoformat, row)) for row in rows]
    changes = Counter()
    for start, end in times:
        changes[start] += 1
        changes[end] -= 1
    running, most = 0, 0
    for moment in sorted(changes):
        running += changes[moment]
        most = max(most, running)
    return most


def test_never_more_jobs_than_gpus(small, slurm):
    """Four jobs want a GPU each, and there are two; those before them want none."""
    small.edit({"teacher": {"by_dataset": {"digits": {"epochs": 10}}}})
    first = slurm.next_id()
    teachers = [
        f"results/teacher/digits/{trigger}/wrn-10-1-t0/teacher.safetensors"
        for trigger in TRIGGERS
    ]
    gpus = ("--set-resources", "teacher:gpu=1", "--default-resources", "gpu_model=fake")
    with submitted(small, slurm, *gpus, "--", *teachers) as run:
        run.finish()
    assert all((small.folder / teacher).is_file() for teacher in teachers)
    jobs = slurm.accounted(first, "State", "AllocTRES", "Start", "End")
    assert {row[2] for row in jobs} == {"COMPLETED"}
    rows = [row for row in jobs if "rule_teacher" in row[1]]
    assert len(rows) == len(TRIGGERS)
    assert all("gres/gpu=1" in row[3] for row in rows)
    (poison,) = [row for row in jobs if row not in rows]  # the other three, in one job
    assert "gres/gpu" not in poison[3]
    assert _most_at_once([row[4:] for row in rows]) == 2


@pytest.fixture
def demos(tmp_path):
    """Two folders with the workflow as it is shipped."""
    for name in ("here", "there"):
        copy_workflow(tmp_path / name)
    return Workflow(tmp_path / "here", 1200), Workflow(tmp_path / "there", 1200)


def _digests(workflow):
    files = sorted((workflow.folder / "results").rglob("*"))
    return {
        str(file.relative_to(workflow.folder)): sha256(file)
        for file in files
        if file.is_file()
    }


def test_the_demo_is_the_same_on_a_cluster(demos, slurm):
    """Every file of results, and the summary, byte by byte."""
    here, there = demos
    here.snakemake("--", "demo")
    first = slurm.next_id()
    with submitted(there, slurm, "--", "demo") as run:
        said = run.finish(1500)
    rows = slurm.accounted(first, "State")
    assert {row[2] for row in rows} == {"COMPLETED"}
    assert _digests(there) == _digests(here)
    summary = "reports/summary.json"
    assert (there.folder / summary).read_bytes() == (here.folder / summary).read_bytes()
    assert "distilled from photographs" in said, "its table is shown"
    # Short stages ride along: fewer jobs of the cluster than of the DAG.
    n_rules = len(list((there.folder / "benchmarks").rglob("*.tsv")))
    assert len(rows) < n_rules
