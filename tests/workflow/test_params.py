"""What Snakemake says of a params.yaml that cannot be read, or is read some other way."""

import json

import pytest
import yaml

from tests.workflow.test_demo import KEY


def _make(path, text):
    path.unlink()
    if text is None:
        path.mkdir()
    elif text:
        path.write_bytes(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "params.yaml: expected a YAML file, got No such file or directory"),
        (None, "params.yaml: expected a YAML file, got Is a directory"),
        (b"a: \xff\n", "params.yaml: expected a YAML file, got a byte that is not UTF-8"),
        (b"a: [\n", "params.yaml: expected a YAML file, got an error in line 2: expected"),
        (b"- 1\n", "params.yaml: expected a mapping of sections, got list"),
        (b"run: 1\nrun: 2\n", "  run: expected this key once, got it in lines 1 and 2"),
    ],
)
def test_a_file_that_is_no_params_is_named_without_a_traceback(workflow, text, line):
    _make(workflow.folder / "params.yaml", text)
    done = workflow.snakemake("-n", check=False)
    assert done.returncode == 1
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert "  File " not in done.stderr
    assert "WorkflowError" not in done.stderr


def test_params_may_be_written_as_json(workflow):
    path = workflow.folder / "params.yaml"
    jobs = workflow.planned()
    path.write_text(json.dumps(yaml.safe_load(path.read_text())))
    assert workflow.planned() == jobs


def test_a_single_target_ends_quietly(workflow):
    """No table is asked for, and none is missed."""
    done = workflow.snakemake("results/fetch/digits/dataset.npz")
    assert "error" not in (done.stdout + done.stderr).lower()
    shown = workflow.run("abd", "show", "--finished")
    assert (shown.stdout, shown.stderr) == ("", "")


def test_an_edit_does_not_reach_jobs_that_wait(workflow):
    """They run with what was planned; the next call re-runs what the edit concerns."""
    run = workflow.start("snakemake", "-c2")
    for line in run.stderr:
        if "start teacher" in line:
            break
    workflow.edit({"retrospect": {"rounds": 3}})
    _, said = run.communicate(timeout=240)
    assert run.returncode == 0, said
    record = workflow.folder / f"results/retrospect/{KEY}/abd/record.json"
    assert json.loads(record.read_text())["config"]["retrospection"]["rounds"] == 2
    assert workflow.planned()["retrospect_abd"] == 1
