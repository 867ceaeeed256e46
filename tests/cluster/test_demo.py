"""The demo as it is shipped ends on a cluster as it does here: byte by byte."""

import pytest

from abd.storage.files import sha256
from tests.cluster.conftest import submitted
from tests.workflow.conftest import Workflow, copy_workflow

pytestmark = pytest.mark.cluster


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
