"""`abd verify` finds what is not as its record says, or not as params.yaml asks for it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from abd.config import make_plan
from abd.config.asked import asked_jobs
from abd.provenance.verifying import verify
from tests.damage import flip
from tests.workflow.test_demo import KEY

TEACHER = "results/evaluate/digits/badnet_sq/wrn-10-1-t0/teacher"
STUDENT = f"results/distill/{KEY}/plain/student.safetensors"


def asked(workflow):
    return asked_jobs(
        [make_plan(yaml.safe_load((workflow.folder / "params.yaml").read_text()))]
    )


def found(workflow):
    """What is found, as (kind, path)."""
    _, findings = verify(workflow.folder, asked(workflow))
    return [(finding.kind, str(finding.path)) for finding in findings]


def test_a_finished_run_is_whole(copied):
    said = copied.run("abd", "verify").stdout
    assert said.endswith("checked: all as recorded\n")
    n_files = len([p for p in (copied.folder / "results").rglob("*") if p.is_file()])
    assert said == f"{n_files} file(s) below results/ checked: all as recorded\n"


@pytest.mark.usefixtures("inside")
def test_one_flipped_byte_in_any_file_is_found(copied, rng):
    jobs = asked(copied)
    for path in sorted(p for p in (copied.folder / "results").rglob("*") if p.is_file()):
        whole = path.read_bytes()
        flip(path, int(rng.integers(len(whole))))
        _, findings = verify(copied.folder, jobs)
        name = path.relative_to(copied.folder)
        assert ("damaged", name) in [(f.kind, f.path) for f in findings], name
        path.write_bytes(whole)
    assert found(copied) == []


def test_every_byte_of_a_record_counts(copied):
    jobs = asked(copied)
    folder = copied.folder / "results/fetch/digits"
    for other in (p for p in (copied.folder / "results").iterdir() if p.name != "fetch"):
        other.rename(copied.folder / other.name)
    whole = (folder / "record.json").read_bytes()
    for at in range(len(whole)):
        flip(folder / "record.json", at)
        _, findings = verify(copied.folder, jobs)
        assert [f.kind for f in findings] == ["damaged"], whole[at - 20 : at + 20]
        (folder / "record.json").write_bytes(whole)


def test_what_is_missing_foreign_or_stale_is_told_and_how_to_mend_it(copied):
    foreign = "results/distill/notes.txt"
    (copied.folder / foreign).write_text("mine")
    beside = f"{STUDENT.rsplit('/', 1)[0]}/student.bak"
    (copied.folder / beside).write_text("mine")
    (copied.folder / STUDENT).unlink()
    (copied.folder / "results/patches/digits/patches.npz").write_bytes(b"others")
    findings = found(copied)
    assert ("foreign", foreign) in findings
    assert ("foreign", beside) in findings
    assert ("missing", STUDENT) in findings
    assert ("damaged", "results/patches/digits/patches.npz") in findings
    assert ("stale", f"results/surrogate/{KEY}") in findings, "made from other patches"
    assert ("stale", f"results/evaluate/{KEY}/none") in findings, "its student is gone"
    assert not [path for kind, path in findings if "/teacher/" in path]
    done = copied.run("abd", "verify", check=False)
    assert done.returncode == 1
    assert f"missing   {STUDENT}: " in done.stdout
    assert "snakemake makes anew what is missing" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_edited_param_makes_stale_what_it_concerns(copied):
    copied.edit({"retrospect": {"rounds": 3}})
    assert found(copied) == [("stale", f"results/retrospect/{KEY}/abd")]


def test_edited_code_makes_stale_what_it_made(copied):
    folder = f"results/retrospect/{KEY}/abd"
    jobs = asked(copied)
    jobs[folder] = [replace(spec, code="0" * 16) for spec in jobs[folder]]
    _, (finding,) = verify(copied.folder, jobs)
    assert (finding.kind, str(finding.path)) == ("stale", folder)
    assert "other code" in finding.what


def test_a_dropped_cell_is_orphaned_and_no_error(copied):
    path = copied.folder / "params.yaml"
    path.write_text(path.read_text().replace("      - abd\n", ""))
    findings = found(copied)
    assert {kind for kind, _ in findings} == {"orphaned"}
    assert ("orphaned", f"results/vaccine/{KEY}") in findings
    said = copied.run("abd", "verify").stdout
    assert f"{len(findings)} orphaned" in said


def test_a_report_names_students_that_are_stale_or_mixed(copied):
    """Of other params than the report; then, half made anew, of another teacher."""
    pages = [copied.folder / f"work/reports/pages/demo.{end}" for end in ("md", "html")]
    head = "2 of 2 students are not of the params, code and results that are here now"

    def told():
        """Which leaves Snakemake's own pages alone."""
        report = copied.run("abd", "report", "--experiment", "demo").stdout
        texts = [path.read_text() for path in pages] + [copied.run("abd", "show").stdout]
        assert (head in report) == (head in texts[0])
        return [" ".join(text.split()) for text in texts]

    assert not any("are here now" in text for text in told())
    copied.edit({"teacher": {"by_dataset": {"digits": {"epochs": 2}}}})
    for text in told():
        assert head in text
        assert "no defense, seed 0: teacher was made with other params" in text
    copied.snakemake("--", f"{TEACHER}/metrics.json")
    for text in told():
        assert head in text
        assert "seed 0: surrogate was made from another results/teacher/" in text
    flip(copied.folder / f"{Path(STUDENT).parent}/record.json", 5)
    assert "no defense, seed 0: surrogate was made from" in told()[0]
    flip(copied.folder / f"results/surrogate/{KEY}/record.json", 5)
    assert "seed 0: surrogate has a damaged record.json" in told()[0]


def test_a_folder_on_another_disk_is_looked_into(copied, tmp_path):
    """A link in place of a folder; and a pipe in place of a file holds up nothing."""
    elsewhere = tmp_path / "scratch"
    folder = copied.folder / "results/surrogate"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert found(copied) == []
    assert copied.run("abd", "prune").stdout.startswith("nothing to prune")
    flip(elsewhere / KEY / "cache.safetensors", 100)
    assert ("damaged", f"results/surrogate/{KEY}/cache.safetensors") in found(copied)
    (copied.folder / STUDENT).unlink()
    os.mkfifo(copied.folder / STUDENT)
    assert ("damaged", STUDENT) in found(copied)


def test_no_results_at_all_are_not_taken_for_whole_ones(copied):
    shutil.rmtree(copied.folder / "results")
    done = copied.run("abd", "verify", check=False)
    assert done.returncode == 1
    assert "results: expected a folder of results, got none; make them with" in done.stderr
