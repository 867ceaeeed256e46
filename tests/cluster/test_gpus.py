"""GPUs that the jobs of a cluster share."""

import time
from collections import Counter
from datetime import datetime

import psutil
import pytest

from tests.cluster.conftest import submitted
from tests.workflow.conftest import jobs_of

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


def _seen_by(job):
    """A job's stage and the GPUs that it may see; None where it has just ended."""
    try:
        environment = job.environ()
    except psutil.NoSuchProcess:
        return None
    if not environment:  # of a process that is ending
        return None
    return job.info["cmdline"][2], environment.get("CUDA_VISIBLE_DEVICES")


def test_never_more_jobs_than_gpus(small, slurm):
    """Four jobs want a GPU each, and there are two; those before them want none."""
    small.edit({"teacher": {"by_dataset": {"digits": {"epochs": 10}}}})
    first = slurm.next_id()
    teachers = [
        f"results/teacher/digits/{trigger}/wrn-10-1-t0/teacher.safetensors"
        for trigger in TRIGGERS
    ]
    gpus = ("--set-resources", "teacher:gpu=1", "--default-resources", "gpu_model=fake")
    seen = set()
    with submitted(small, slurm, *gpus, "--", *teachers) as run:
        while run.process.poll() is None:
            seen |= {_seen_by(job) for job in jobs_of(small, "teacher", "poison")}
            time.sleep(0.2)
        run.finish()
    assert seen - {None} == {("teacher", "0"), ("poison", None)}, "each sees its node's one"
    assert all((small.folder / teacher).is_file() for teacher in teachers)
    jobs = slurm.accounted(first, "State", "AllocTRES", "Start", "End")
    assert {row[2] for row in jobs} == {"COMPLETED"}
    rows = [row for row in jobs if "rule_teacher" in row[1]]
    assert len(rows) == len(TRIGGERS)
    assert all("gres/gpu=1" in row[3] for row in rows)
    (poison,) = [row for row in jobs if row not in rows]  # the other three, in one job
    assert "gres/gpu" not in poison[3]
    assert _most_at_once([row[4:] for row in rows]) == 2
