"""Ctrl-C reaches the command that runs in the foreground, and is left to it."""

import os
import signal
import subprocess
import sys

OUTER = """
import sys
from abd.stages.foreground import run_in_foreground

sys.exit(run_in_foreground([sys.executable, "-c", sys.argv[1]]))
"""
# It takes longer than Python gives a child after Ctrl-C, a quarter of a second.
INNER = """
import sys, time

try:
    print("there", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    print("saved", flush=True)
    sys.exit(3)
"""


def test_the_command_ends_as_it_likes():
    process = subprocess.Popen(
        [sys.executable, "-c", OUTER, INNER],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "there\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said, error = process.communicate(timeout=60)
    assert said == "saved\n"
    assert error == ""
    assert process.returncode == 3
