"""The profile for a workstation: jobs that want a GPU take turns at those that there are."""

import json
import time

import pytest
import torch

from tests.workflow.conftest import GRID, jobs_of

TRIGGERS = ("badnet_grid", "badnet_sq")
TEACHERS = tuple(f"results/teacher/digits/{t}/wrn-10-1-t0" for t in TRIGGERS)
LOCAL = ("--profile", "profiles/local", "-c2")


@pytest.mark.parametrize("n_gpus", [1, 2])
def test_no_more_jobs_than_gpus(workflow, n_gpus):
    """Two teachers that want a GPU each, and two cores for them; they compute on the CPU."""
    workflow.edit({"teacher": {"by_dataset": {"digits": {"epochs": 4}}}})
    want = ("--set-resources", "teacher:gpu=1", "--resources", f"gpu={n_gpus}")
    weights = [f"{teacher}/teacher.safetensors" for teacher in TEACHERS]
    run = workflow.start("snakemake", *LOCAL, *want, "--", *weights)
    most = 0
    while run.poll() is None:
        most = max(most, len(jobs_of(workflow, "teacher")))
        time.sleep(0.05)
    assert run.returncode == 0, run.stderr.read()
    assert most == n_gpus


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_jobs_compute_on_the_gpu_that_they_took(workflow):
    """Students of two seeds share what there is; each says where it was computed."""
    grids = {"demo": {"grids": [{**GRID, "seeds": [0, 1]}]}}
    workflow.edit({"numerics": {"device": "cuda"}, "experiments": grids})
    workflow.snakemake(*LOCAL)
    records = list((workflow.folder / "results/distill").rglob("record.json"))
    assert records
    names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
    for record in records:
        assert json.loads(record.read_text())["device"] in names
