"""A plan of the paper's tables is made in seconds, and in little memory."""

import os
import subprocess

from tests.workflow.conftest import clean_environment, copy_workflow, jobs_in

TABLES = ("table1", "table2", "table3", "table4")


def test_the_tables_are_planned_in_seconds(tmp_path):
    """Three seeds of each: twice what it may take on two idle cores, of processor time."""
    copy_workflow(tmp_path)
    with (tmp_path / "said.txt").open("w") as said:
        planning = subprocess.Popen(
            ["snakemake", "-n", "-q", "rules", "--", *TABLES],
            cwd=tmp_path, env=clean_environment(), stdout=said, stderr=said,
        )  # fmt: skip
        _, status, used = os.wait4(planning.pid, 0)
    planning.returncode = os.waitstatus_to_exitcode(status)
    text = (tmp_path / "said.txt").read_text()
    assert planning.returncode == 0, text
    assert sum(jobs_in(text).values()) > 600
    assert used.ru_utime + used.ru_stime < 2 * 6
    assert used.ru_maxrss < 2**20  # KiB: a GiB
