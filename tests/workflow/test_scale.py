"""A plan of the paper's tables is made in seconds, and in little memory."""

import json
import sys

from tests.workflow.conftest import Workflow, copy_workflow, jobs_in

# By a small process: what a child is said to take counts what its parent was when it forked.
MEASURE = """
import json, resource, subprocess, sys
planning = ["snakemake", "-n", "-q", "rules", "--", *sys.argv[1:]]
text = subprocess.run(planning, text=True, check=True, stderr=subprocess.PIPE).stderr
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([text, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
KIB_OF_A_GIB = 2**20


def test_the_tables_are_planned_in_seconds(tmp_path):
    """Three seeds of each: twice what it may take on two idle cores, of processor time."""
    copy_workflow(tmp_path)
    tables = ("table1", "table2", "table3", "table4")
    done = Workflow(tmp_path).run(sys.executable, "-c", MEASURE, *tables)
    text, seconds, kib = json.loads(done.stdout)
    assert sum(jobs_in(text).values()) > 600
    assert seconds < 2 * 6
    assert kib < KIB_OF_A_GIB
