"""Jobs in processes of their own that end at a chosen moment, as by `kill -9`.

Either when a job has saved its state (`stopped_at_a_save`), or at a *moment* (`run`): a number
of calls and returns, of Python's functions and of C's, from where the job has loaded what it
needs. Killed at the same one it has done the same work, however fast the machine is.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from abd.stages import STAGES, drive
from abd.stages.job import run_job
from abd.storage.working import WorkingCheckpoints

# Forked from a process that has imported all that stages need: a start is cheap, and no
# moment falls into an import.
LATE = ("abd.stages.watch", "torch.nested", "torch.fx.experimental.symbolic_shapes")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        __name__,
        *LATE,
        *(f"abd.stages.{stage}" for stage in STAGES),
        *(f"abd.sources.{source}" for source in ("clean", "cmi", "ood", "zskt")),
    ]
)
SECONDS = 300


@dataclass(frozen=True)
class Command:
    """What a job is told, by the names of `run_job`."""

    stage: str
    config: dict
    code: str
    inputs: dict
    outputs: dict


def run(command, log, end=None):
    """Run a job, killed at moment `end`; return its exit status. `log` grows by what it says.

    A job that comes to its end adds to its log how many moments it had.
    """
    process = PROCESSES.Process(target=_run, args=(command, log, end))
    process.start()
    process.join(SECONDS)
    late = process.is_alive()
    process.kill()  # nothing where it has ended
    process.join()
    assert not late, f"{command.stage} took over {SECONDS} s"
    return process.exitcode


def moments(log):
    """How many moments the last job had that came to its end."""
    return int(Path(log).read_text().split()[-1])


def _run(command, log, end):
    os.environ["ABD_CHECKPOINT_SECONDS"] = "0"
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    n_moments = 0

    def count(*_):
        nonlocal n_moments
        n_moments += 1
        if n_moments == end:
            os.kill(os.getpid(), signal.SIGKILL)

    class Counted(WorkingCheckpoints):
        def __init__(self, *arguments):
            sys.setprofile(count)
            super().__init__(*arguments)

    drive.WorkingCheckpoints = Counted
    run_job(command.stage, command.config, command.code, command.inputs, command.outputs)
    sys.setprofile(None)
    print(n_moments, file=sys.stderr)


STOPPED = """
import os, sys
from abd.cli import main
from abd.storage.working import WorkingCheckpoints

save, (kind, n_left) = WorkingCheckpoints.save, map(int, (sys.argv.pop(1), sys.argv.pop(1)))

def save_and_stop(self, state):
    global n_left
    save(self, state)
    n_left -= 1
    if not n_left:
        os.kill(os.getpid(), kind)

WorkingCheckpoints.save = save_and_stop
sys.exit(main(sys.argv[1:]))
"""


def stopped_at_a_save(arguments, kind, n_saved=1):
    """Run a job by abd's `arguments`; it gets a signal when it has saved `n_saved` times."""
    return subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(kind)), str(n_saved), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "ABD_CHECKPOINT_SECONDS": "0"},
    )
