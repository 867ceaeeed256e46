"""Two people at once in one folder: the second is told of the first, and damages nothing."""

import signal
import time
from contextlib import suppress

import psutil
import pytest

LOG = "logs/teacher/digits/badnet_sq/wrn-10-1-t0.log"
TEACHER = "results/teacher/digits/badnet_sq/wrn-10-1-t0/teacher.safetensors"


@pytest.fixture
def first(workflow):
    """A run that trains until it is stopped."""
    workflow.edit({"teacher": {"by_dataset": {"digits": {"epochs": 500}}}})
    process = workflow.start("snakemake", "-c1", "--", TEACHER)
    log = workflow.folder / LOG
    end = time.monotonic() + 120
    while not (log.is_file() and "progress" in log.read_text()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)
    yield process
    _stop(process)


def _stop(process):
    """As Ctrl-C in a terminal does: for Snakemake and for its jobs."""
    if process.poll() is None:
        snakemake = psutil.Process(process.pid)
        for one in (*snakemake.children(recursive=True), snakemake):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGINT)
    process.communicate(timeout=120)


def test_a_second_run_in_the_same_folder_is_refused(first, workflow):
    """And the first goes on."""
    second = workflow.snakemake("--", TEACHER, check=False)
    prune = workflow.run("abd", "prune", "--yes", check=False)
    assert first.poll() is None
    _stop(first)
    assert second.returncode == 1
    assert "no other Snakemake process is trying to create the same files" in second.stderr
    assert "Traceback" not in second.stderr
    assert prune.returncode == 1
    assert "expected no Snakemake at work here" in prune.stderr
    assert "stopped by" in (workflow.folder / LOG).read_text()
    assert workflow.planned(TEACHER) == {"teacher": 1}
    assert "all as recorded" in workflow.run("abd", "verify", check=False).stdout
