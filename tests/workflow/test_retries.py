"""How often the profile for Slurm has a job started again."""

import re

import yaml

from tests.workflow.conftest import ROOT

PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())


def test_what_goes_on_from_a_checkpoint_is_retried_longest(workflow):
    """The teacher here cannot be trained; nothing else fails."""
    workflow.edit({"teacher": {"lr": 1e9}})
    patient = ("--preemptible-retries", "3", "--retries", "1")
    local = ("--profile", "slurm", "--executor", "local", "-c2")
    done = workflow.run("snakemake", *local, *patient, check=False)
    assert done.returncode == 1
    started = re.findall(r"start (\w+)", done.stderr)
    assert started.count("teacher") == 1 + 3
    assert started.count("fetch") == 1


def test_those_are_the_stages_that_keep_one():
    """All rules of a stage, and no rule of another."""
    resumed = {"harden", "teacher", "surrogate", "distill", "retrospect"}
    rules = {
        rule
        for file in (ROOT / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)
    }
    assert set(PROFILE["preemptible-rules"]) == {
        rule for rule in rules if rule.split("_")[0] in resumed
    }
    assert PROFILE["preemptible-retries"] > PROFILE["retries"] > 0
