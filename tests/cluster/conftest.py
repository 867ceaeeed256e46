"""A real Slurm cluster on this machine, and workflows that run on it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import (
    Workflow,
    clean_environment,
    made_once,
    make_workflow,
)

HERE = Path(__file__).parent
N_EPOCHS = 40  # of the teacher that tests stop
RUNTIME = 300  # seconds that anything here may take; then the test has failed
# Snakemake asks for the first time after so long; a real cluster is asked less often.
PROFILE = (
    "--profile", "slurm", "--slurm-init-seconds-before-status-checks", "3",
    "--latency-wait", "10",
)  # fmt: skip


@dataclass(frozen=True)
class Slurm:
    """The cluster below `folder`: what its commands say of it."""

    folder: Path

    @property
    def environment(self):
        """What makes Slurm's commands speak to this cluster."""
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": path}

    def run(self, *command):
        """Run one of Slurm's commands; return what it printed."""
        return subprocess.run(
            command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def jobs(self, rule, *states):
        """The ids of the jobs of a rule that are in one of these states, by age."""
        lines = self.run("squeue", "-h", "-t", ",".join(states), "-o", "%A %k")
        return sorted(
            int(line.split()[0])
            for line in lines.splitlines()
            if re.search(rf" rule_{rule}(_wildcards_|$)", line)
        )

    def accounted(self, first, *fields):
        """The fields of every job from id `first` on, as the accounting has them."""
        lines = self.run(
            "sacct", "-X", "-n", "-P", "--duplicates", "-S", "now-1hour",
            "-o", ",".join(("JobIDRaw", "Comment", *fields)),
        )  # fmt: skip
        rows = [line.split("|") for line in lines.splitlines()]
        return [row for row in rows if int(row[0]) >= first]

    def next_id(self):
        """An id that is above those of all jobs so far."""
        rows = self.accounted(0)
        return max((int(row[0]) for row in rows), default=0) + 1

    def node_of(self, job):
        """The node that a job runs on."""
        return self.run("squeue", "-h", "-j", str(job), "-o", "%N").strip()

    def daemon(self, name):
        """The process of a daemon; None where it has ended."""
        for line in (self.folder / "pids").read_text().splitlines():
            daemon, pid, _ = line.split()
            if daemon == name and psutil.pid_exists(int(pid)):
                process = psutil.Process(int(pid))
                if process.status() != psutil.STATUS_ZOMBIE:
                    return process
        return None

    def start(self, name, *command):
        """Start a daemon again, as start.sh did."""
        with (self.folder / "log" / f"{name}.out").open("a") as log:
            daemon = subprocess.Popen(
                command, env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        started = Path(f"/proc/{daemon.pid}/stat").read_text().split()[21]
        with (self.folder / "pids").open("a") as pids:
            pids.write(f"{name} {daemon.pid} {started}\n")

    def processes_on(self, node):
        """What runs for the jobs on a node: their processes, and the steps that hold them."""
        found = {}
        for process in psutil.process_iter(["environ"]):
            environment = process.info["environ"] or {}
            if (
                environment.get("SLURM_CONF") == self.environment["SLURM_CONF"]
                and environment.get("SLURMD_NODENAME") == node
            ):
                found[process.pid] = process
                # A step's own environment cannot be read: it writes its title there.
                parent = process.parent()
                if parent is not None and parent.name().startswith("slurmstepd"):
                    found[parent.pid] = parent
        return list(found.values())


@pytest.fixture(scope="session")
def slurm():
    """The cluster, for all tests of a process: two nodes with a pretended GPU each."""
    # munged wants folders that others may enter, and sockets have short names.
    folder = Path(tempfile.mkdtemp(prefix="abd-slurm-"))
    folder.chmod(0o755)
    # Where tests run side by side each process has a cluster, with names of its own.
    name = os.environ.get("PYTEST_XDIST_WORKER", "") + "n"
    environment = {**os.environ, "NODE": name}
    subprocess.run(
        [HERE / "start.sh", folder], env=environment, check=True, timeout=RUNTIME
    )
    try:
        yield Slurm(folder)
    finally:
        subprocess.run([HERE / "stop.sh", folder], check=True, timeout=RUNTIME)
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Submission:
    """A Snakemake that has its jobs run by Slurm, while a test does its worst."""

    workflow: Workflow
    process: subprocess.Popen
    said: Path

    def finish(self, seconds=RUNTIME):
        """Wait until it ends; return what it said. The test fails where it failed."""
        status = self.process.wait(seconds)
        text = self.said.read_text()
        assert status == 0, text
        return text


@contextmanager
def submitted(workflow, slurm, *arguments, checkpoint_seconds=1):
    """Start Snakemake with the profile for Slurm; it is ended with the block."""
    said = workflow.folder / "said.txt"
    with said.open("w") as file:
        process = subprocess.Popen(
            # A shell has what it starts in the background ignore SIGINT, children too.
            ["env", "--default-signal=INT", "snakemake", *PROFILE, *arguments],
            cwd=workflow.folder,
            env={
                **clean_environment(),
                **slurm.environment,
                "ABD_CHECKPOINT_SECONDS": str(checkpoint_seconds),
            },
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Submission(workflow, process, said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it cancels its jobs
            process.wait(RUNTIME)


def until(condition, what):
    """Wait for a condition, and return what it gave."""
    end = time.monotonic() + RUNTIME / 2
    while not (found := condition()):
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A workflow whose teacher is still to be trained, for about twenty seconds."""

    def make(folder):
        workflow = make_workflow(folder)
        workflow.edit({"teacher": {"by_dataset": {"digits": {"epochs": N_EPOCHS}}}})
        workflow.snakemake("--", "results/poison/digits/badnet_sq/poisoned.npz")

    return made_once(tmp_path_factory, "prepared", make)


@pytest.fixture(scope="session")
def reference(prepared, tmp_path_factory):
    """The same, trained here without Slurm and without a fault."""

    def make(folder):
        shutil.copytree(prepared.folder, folder, symlinks=True, dirs_exist_ok=True)
        Workflow(folder).snakemake("--", METRICS)

    return made_once(tmp_path_factory, "reference", make)


@pytest.fixture
def small(prepared, tmp_path):
    """A copy with two jobs to run: a teacher to train, and to evaluate."""
    folder = tmp_path / "small"
    shutil.copytree(prepared.folder, folder, symlinks=True)
    return Workflow(folder)


TEACHER = "results/teacher/digits/badnet_sq/wrn-10-1-t0"
METRICS = "results/evaluate/digits/badnet_sq/wrn-10-1-t0/teacher/metrics.json"
