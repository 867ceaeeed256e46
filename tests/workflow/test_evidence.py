"""`make evidence` runs experiments under settings laid over params.yaml, and keeps what they show."""

import json
import re
import shutil
import sys

import pytest
import yaml

from tests.workflow.conftest import GRID, ROOT

COMMAND = (sys.executable, str(ROOT / "tools/run_evidence.py"))


@pytest.fixture
def settled(copied):
    """A finished workflow, and a part of the evidence over the same models."""
    settings = copied.folder / "reports/evidence/params.yaml"
    settings.parent.mkdir()
    part = {"title": "As finished", "grids": [GRID]}
    settings.write_text(yaml.safe_dump({"experiments": {"part": part}}))
    (copied.folder / "data").mkdir()
    (copied.folder / "data/cifar10_jpeg.npz").touch()
    return copied


def test_keeps_table_records_figures_and_seconds(settled):
    took = settled.folder / "benchmarks/distill/digits/badnet_sq/wrn-10-1-t0"
    (took / "elsewhere").mkdir()
    shutil.copy(next(took.rglob("plain.tsv")), took / "elsewhere")
    done = settled.run(*COMMAND, "part")
    assert "start teacher" not in done.stderr
    kept = settled.folder / "reports/evidence/part"
    table = (kept / "table.md").read_text()
    assert "As finished" in table
    pictures = re.findall(r"\]\((.*?\.png)\)", table)
    assert "curves.png" in pictures
    assert all((kept / picture).is_file() for picture in pictures)
    records = json.loads((kept / "summary.json").read_text())
    assert {record["experiment"] for record in records} == {"part"}
    assert {record["defense"] for record in records} >= {"none", "abd"}
    assert (kept / "curves.png").read_bytes()[:4] == b"\x89PNG"
    made = json.loads((kept / "made.json").read_text())
    record = _record(settled)
    assert made["made"]["torch"] == record["versions"]["torch"]
    assert made["made"]["device"] == record["device"]
    jobs = made["seconds"]
    assert jobs["teacher/digits/badnet_sq/wrn-10-1-t0"] > 0
    assert not any("elsewhere" in job for job in jobs), "it is no part of the experiment"


def _record(workflow):
    path = "results/teacher/digits/badnet_sq/wrn-10-1-t0/record.json"
    return json.loads((workflow.folder / path).read_text())


def test_says_of_results_that_were_there_from_which_commit_they_are(settled):
    """And not which one is checked out when they are kept."""
    environment = {"ABD_COMMIT": "another"}
    settled.run(*COMMAND, "part", **environment)
    kept = settled.folder / "reports/evidence/part"
    made = json.loads((kept / "made.json").read_text())["made"]
    assert made["commit"] == _record(settled)["planned"]["commit"] != "another"


def test_a_figure_of_an_earlier_run_does_not_stay(settled):
    kept = settled.folder / "reports/evidence/part"
    kept.mkdir()
    for figure in ("curves.png", "diagnosis.png"):
        (kept / figure).write_bytes(b"old")
    part = {"title": "As finished", "grids": [{**GRID, "defenses": ["none"]}]}
    settings = kept.with_name("params.yaml")
    settings.write_text(yaml.safe_dump({"experiments": {"part": part}}))
    settled.run(*COMMAND, "part")
    assert (kept / "curves.png").read_bytes() != b"old"
    assert not (kept / "diagnosis.png").exists(), "no vaccine is searched for"


def test_what_ran_elsewhere_has_a_folder_of_its_own(settled):
    folder = settled.folder / "reports/evidence"
    (folder / "cpu.yaml").write_text("numerics:\n  device: cpu\n")
    settled.run(*COMMAND, "--on", "cpu", "part")
    assert (folder / "part_cpu/table.md").is_file()
    assert not (folder / "part").exists()


def test_refuses_in_one_line_what_it_cannot_run(settled):
    unknown = settled.run(*COMMAND, "prat", check=False)
    assert unknown.returncode == 1
    assert unknown.stderr == "make evidence: expected some of part, got prat\n"
    (settled.folder / "data/cifar10_jpeg.npz").unlink()
    missing = settled.run(*COMMAND, check=False)
    assert missing.returncode == 1
    assert missing.stderr.startswith("make evidence: data/cifar10_jpeg.npz: expected")
    assert missing.stderr.count("\n") == 1
