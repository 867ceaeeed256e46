"""A copy of the workflow in a folder of its own, with parameters for seconds."""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml
from filelock import FileLock

from abd.config.sections import merge

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "rules",
    "profiles",
    "slurm",
    "params.yaml",
    "reports/paper.yaml",
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
)
GRID = {
    "dataset": "digits",
    "triggers": ["badnet_sq"],
    "teacher": "wrn-10-1",
    "student": "wrn-10-1",
    "sources": ["ood"],
    "defenses": ["none", "abd"],
    "teacher_seed": 0,
    "seeds": [0],
}
TINY = {
    "run": ["demo"],
    "experiments": {"demo": {"title": "tiny", "grids": [GRID]}},
    "patches": {"by_dataset": {"digits": {"n": 96}}},
    "teacher": {"min_asr": 0.0, "by_dataset": {"digits": {"epochs": 1}}},
    "surrogate": {
        "skip": {"ood": 1, "clean": 1},
        "by_dataset": {"digits": {"warm": {"ood": 4, "clean": 4}}},
    },
    "vaccine": {"members": 2, "trials": 2},
    "retrospect": {
        "rounds": 2,
        "n_terms": 2,
        "by_dataset": {"digits": {"ood": {"last": 1}}},
    },
    "distill": {
        "by_dataset": {
            "digits": {
                "ood": {"log_every": 2, "eval_every": 4, "batch": 32, "epochs": 4},
                "clean": {"log_every": 2, "eval_every": 4, "batch": 32, "epochs": 2},
            }
        }
    },
}


def with_grid(**changes):
    """An edit of the tiny params: other values of keys of its grid."""
    return {"experiments": {"demo": {"grids": [{**GRID, **changes}]}}}


@dataclass(frozen=True)
class Workflow:
    """A folder with the workflow, and the means to run it."""

    folder: Path
    seconds: int = 240  # that a command may take

    def edit(self, changes):
        """Merge changes into params.yaml."""
        path = self.folder / "params.yaml"
        path.write_text(yaml.safe_dump(merge(yaml.safe_load(path.read_text()), changes)))

    def run(self, *command, check=True, **env):
        """Run a command there; return what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**clean_environment(), **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=self.seconds,
        )
        if check and done.returncode:
            pytest.fail(
                f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def start(self, *command, **env):
        """Start a command there; what it prints is read from its pipes."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**clean_environment(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def snakemake(self, *arguments, **options):
        """Run Snakemake on two cores."""
        return self.run("snakemake", "-c2", *arguments, **options)

    def planned(self, *arguments):
        """Count the jobs that a run would start, by rule."""
        return jobs_in(self.snakemake("-n", "--", *arguments).stderr)


def jobs_in(text):
    """The counts of Snakemake's table of jobs."""
    if "Job stats:" not in text:
        return {}
    lines = text.split("Job stats:")[1].strip().splitlines()[2:]
    counts = {}
    for line in lines:
        parts = line.split()
        if len(parts) != 2 or parts[0] == "total":
            break
        counts[parts[0]] = int(parts[1])
    return counts


def jobs_of(workflow, *stages):
    """The processes of abd that work in this folder; at these stages, where some are named."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        _, program, stage = [*(process.info["cmdline"] or []), "", "", ""][:3]
        here = process.info["cwd"] == str(workflow.folder)
        if Path(program).name == "abd" and here and (not stages or stage in stages):
            found.append(process)
    return found


def clean_environment():
    """The environment without what its user, or an outer run of abd, has in it for these."""
    ours = ("ABD_", "MLFLOW_", "SNAKEMAKE_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def free_port():
    """A port of loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def copy_workflow(folder):
    """Copy the workflow into `folder`, as it is shipped."""
    for name in PARTS:
        source = ROOT / name
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            (folder / name).symlink_to(source.readlink())
        elif source.is_dir():
            shutil.copytree(source, folder / name)
        elif source.exists():
            shutil.copy(source, folder / name)


def make_workflow(folder):
    """Copy the workflow into `folder`, with the tiny parameters."""
    copy_workflow(folder)
    workflow = Workflow(folder)
    workflow.edit(TINY)
    return workflow


@pytest.fixture
def workflow(tmp_path):
    """A fresh copy that has not run."""
    return make_workflow(tmp_path)


def made_once(tmp_path_factory, name, make):
    """A folder that one of the suite's processes fills by `make(folder)`, for all of them."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return Workflow(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A workflow that has run, not to be changed."""
    return made_once(tmp_path_factory, "finished", lambda f: make_workflow(f).snakemake())


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished workflow that may be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Workflow(folder)


@pytest.fixture
def inside(copied, monkeypatch):
    """The copy, with the test's own process in its folder."""
    monkeypatch.chdir(copied.folder)
    return copied
