"""How often the profile for Slurm has a job started again, and with how much memory."""

import re

import yaml

from tests.workflow.conftest import ROOT

PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
LOCAL = ("--profile", "slurm", "--executor", "local", "-c2")
PATIENT = ("--preemptible-retries", "2", "--retries", "1")
FETCHED = "results/fetch/digits/dataset.npz"
POISONED = "results/poison/digits/badnet_sq/poisoned.npz"


def _failed(workflow, target):
    """How often each stage was started in a run that failed."""
    done = workflow.run("snakemake", *LOCAL, *PATIENT, "--", target, check=False)
    assert done.returncode == 1
    started = re.findall(r"^  start (\w+)", done.stderr, re.MULTILINE)
    return {stage: started.count(stage) for stage in started}


def test_what_goes_on_from_a_checkpoint_is_retried_longest(workflow):
    workflow.edit({"teacher": {"lr": 1e9}})  # it diverges
    weights = "results/teacher/digits/badnet_sq/wrn-10-1-t0/teacher.safetensors"
    assert _failed(workflow, weights) == {"fetch": 1, "poison": 1, "teacher": 1 + 2}


def test_what_begins_anew_is_retried_less(workflow):
    workflow.snakemake("--", FETCHED)
    path = workflow.folder / FETCHED
    path.write_bytes(path.read_bytes()[:-1])
    assert _failed(workflow, POISONED) == {"poison": 1 + 1}


def test_those_are_the_rules_of_stages_that_keep_a_checkpoint():
    stages = {
        file.stem
        for file in (ROOT / "src/abd/stages").glob("*.py")
        if "= Driver(job" in file.read_text()
    }
    rules = {
        rule
        for file in (ROOT / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)
    }
    assert set(PROFILE["preemptible-rules"]) == {
        rule for rule in rules if rule.split("_")[0] in stages
    }
    assert PROFILE["preemptible-retries"] > PROFILE["retries"] > 0


def test_every_retry_has_more_memory_up_to_three_times_as_much(workflow):
    def asked(attempt):
        plan = workflow.snakemake("-n", "--attempt", str(attempt), "--", POISONED).stderr
        (memory,) = re.findall(
            r"^rule poison:.*?mem_mb=(\d+)", plan, re.MULTILINE | re.DOTALL
        )
        return int(memory)

    first, *others = (asked(attempt) for attempt in (1, 2, 3, 4))
    assert others == [2 * first, 3 * first, 3 * first]
