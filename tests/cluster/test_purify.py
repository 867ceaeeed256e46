"""`abd purify` on a cluster: the same student and the same verdict as here."""

import pytest
import torch
import yaml

from abd.nets import build_net
from abd.seeding import torch_stream
from tests.workflow.conftest import ROOT, Workflow
from tests.workflow.test_purify import SETTINGS

pytestmark = pytest.mark.cluster
SOON = {"slurm-init-seconds-before-status-checks": 3, "latency-wait": 10}


def test_a_purification_on_a_cluster_is_that_of_a_workstation(tmp_path, slurm):
    """By a profile of one's own, which is ours but for how often Slurm is asked."""
    weights = build_net("wrn-10-1", 4, torch_stream(0, "t")).state_dict()
    torch.save(weights, tmp_path / "t.pt")
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    ours = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    ours["default-resources"] = {**ours["default-resources"], "mem_mb": 500}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.yaml").write_text(yaml.safe_dump({**ours, **SOON}))
    workplace = Workflow(tmp_path)
    first = slurm.next_id()

    def purify(out, *options):
        workplace.run(
            "abd", "purify", "t.pt", "--arch", "wrn-10-1", "--classes", "4",
            "--size", "16", "--normalize", "0.5,0.5,0.5/0.25,0.25,0.25", "--student",
            "wrn-10-1", "--settings", "settings.yaml", "--out", out, *options,
            **slurm.environment,
        )  # fmt: skip

    purify("there", "--profile", "mine")
    jobs = slurm.accounted(first, "State")
    assert {row[2] for row in jobs} == {"COMPLETED"}
    assert any("rule_verdict" in row[1] for row in jobs)
    purify("here", "--cores", "2")
    assert len(slurm.accounted(first, "State")) == len(jobs), "the second is not Slurm's"
    for file in ("student.safetensors", "verdict.json", "report.html", "README.md"):
        there, here = (tmp_path / folder / file for folder in ("there", "here"))
        assert there.read_bytes() == here.read_bytes(), file
