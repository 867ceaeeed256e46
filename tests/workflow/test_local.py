"""The profile for a workstation: jobs that want a GPU take turns at those that there are."""

import json
import re
import time

import pytest
import torch

from tests.workflow.conftest import jobs_of, with_grid

TRIGGERS = ("badnet_grid", "badnet_sq", "blend")
TEACHERS = [f"results/teacher/digits/{t}/wrn-10-1-t0/teacher.safetensors" for t in TRIGGERS]
LOCAL = ("--profile", "profiles/local", "-c3")


def test_what_computes_with_networks_wants_a_gpu(workflow):
    """And nothing else does."""
    workflow.edit({"numerics": {"device": "cuda"}})
    plan = workflow.snakemake("-n").stderr
    jobs = re.findall(r"^rule (\w+):\n.*?resources: (.*?)$", plan, re.MULTILINE | re.DOTALL)
    wanted = {rule: re.search(r"\bgpu=(\d)", resources) for rule, resources in jobs}
    assert {rule for rule, gpu in wanted.items() if gpu and gpu[1] == "1"} == {
        "teacher", "surrogate", "vaccine", "score", "distill_plain", "distill_searched",
        "retrospect_abd", "evaluate", "evaluate_teacher",
    }  # fmt: skip


@pytest.mark.parametrize(("n_gpus", "given"), [(1, ()), (2, ("--resources", "gpu=2"))])
def test_no_more_jobs_than_gpus(workflow, n_gpus, given):
    """Three teachers that want a GPU each, and cores for all; they compute on the CPU."""
    workflow.edit({"teacher": {"by_dataset": {"digits": {"epochs": 2}}}})
    want = ("--set-resources", "teacher:gpu=1", *given)
    run = workflow.start("snakemake", *LOCAL, *want, "--", *TEACHERS)
    most = 0
    while run.poll() is None:
        most = max(most, len(jobs_of(workflow, "teacher")))
        time.sleep(0.05)
    assert run.returncode == 0, run.stderr.read()
    assert most == n_gpus


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_jobs_compute_on_a_gpu_and_say_on_which(workflow):
    """Students of two seeds; what each sees of several is take_gpu's (tests/test_gpu.py)."""
    workflow.edit({"numerics": {"device": "cuda"}, **with_grid(seeds=[0, 1])})
    workflow.snakemake(*LOCAL)
    records = list((workflow.folder / "results/distill").rglob("record.json"))
    assert records
    names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
    for record in records:
        assert json.loads(record.read_text())["device"] in names
