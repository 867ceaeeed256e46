"""A Snakemake on a cluster hands the cluster's signals on to its jobs."""

import signal
import subprocess
import sys

import pytest

CHILD = """
import signal, sys, time
def told(number, _):
    print(signal.Signals(number).name, flush=True)
    sys.exit(75)
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, told)
print("ready", flush=True)
time.sleep(60)
"""
PARENT = f"""
import signal, subprocess, sys
from abd.stages.forward import forward_signals
forward_signals()
signal.signal(signal.SIGTERM, lambda *_: print("own", flush=True))
sys.exit(subprocess.call([sys.executable, "-c", {CHILD!r}]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_children_are_told_and_later_handlers_run(number):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(number)  # to the parent alone
        said = parent.stdout.read().split()
        assert parent.wait(30) == 75
    own = ["own"] if number == signal.SIGTERM else []
    assert sorted(said) == sorted([number.name, *own])
