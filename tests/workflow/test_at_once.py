"""Two people at once in one folder: the second is told of the first, and damages nothing."""

import signal
import time

import psutil

TEACHER = "results/teacher/digits/badnet_sq/wrn-10-1-t0/teacher.safetensors"


def test_a_second_run_in_the_same_folder_is_refused(workflow):
    """The first, which trains until it is stopped, goes on."""
    workflow.edit({"teacher": {"by_dataset": {"digits": {"epochs": 500}}}})
    first = workflow.start("snakemake", "-c1", "--", TEACHER)
    log = workflow.folder / "logs/teacher/digits/badnet_sq/wrn-10-1-t0.log"
    while not (log.is_file() and "progress" in log.read_text()):
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.05)
    second = workflow.snakemake("--", TEACHER, check=False)
    prune = workflow.run("abd", "prune", "--yes", check=False)
    assert first.poll() is None
    for process in psutil.Process(first.pid).children(recursive=True):
        process.send_signal(signal.SIGINT)  # as a terminal does
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=120)
    assert second.returncode == 1
    assert "no other Snakemake process is trying to create the same files" in second.stderr
    assert "Traceback" not in second.stderr
    assert prune.returncode == 1
    assert "expected no Snakemake at work here" in prune.stderr
    assert "stopped by" in log.read_text()
    assert workflow.planned(TEACHER) == {"teacher": 1}
    assert "all as recorded" in workflow.run("abd", "verify", check=False).stdout
