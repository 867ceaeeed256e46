# What all rules share: the frozen parameters, the plan, and where results lie.

import gc
import hashlib
import os
import sys
from functools import cache
from inspect import signature
from pathlib import Path

import yaml

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

import abd
from abd.config import load_params, make_plan
from abd.config.cells import UNKNOWN
from abd.config.jobs import job_spec
from abd.config.memory import memory_mb
from abd.config.paths import (
    SUMMARY_FILES,
    asset_files,
    hard_path,
    labelled_path,
    own_path,
    photo_files,
    pool_path,
    report_files,
    statistics_path,
    student_path,
)
from abd.config.stage_jobs import plain_path, stage_files
from abd.digest import report_digest
from abd.errors import AbdError
from abd.stages.forward import forward_signals
from abd.provenance.bookkeeping import reconcile
from abd.storage.commit import described_commit

min_version("9.27")

# A plan is millions of objects that stay until its end. By Python's own thresholds the
# collector looks at them again after every 700 new ones, which takes a sixth of planning; with
# these it takes as little as with none, and a process that lives long is still looked after.
gc.set_threshold(50_000, 20, 100)


def same_code(a, b):
    """Whether two folders hold the same modules."""
    if a.samefile(b):
        return True
    of_a, of_b = ({p.relative_to(f): p for p in f.rglob("*.py")} for f in (a, b))
    return of_a.keys() == of_b.keys() and all(
        of_a[name].read_bytes() == of_b[name].read_bytes() for name in of_a
    )


def freeze(params):
    """Write params below a name that is their digest; return the path."""
    text = yaml.safe_dump(params, sort_keys=False)
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml"
    path = Path(".snakemake/params", name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(text)
        part.replace(path)
    return str(path)


# Freeze params.yaml: a job that starts hours later, in a Snakemake of its own on a
# cluster node, must see what the plan saw.
is_first = "ABD_PARAMS" not in os.environ
if is_first:
    # A clone's rules with another clone's code would be neither's results.
    ours, here = Path(abd.__file__).parent, Path(workflow.basedir, "src", "abd")
    if here.is_dir() and not same_code(here, ours):
        raise WorkflowError(
            f"expected the code of this folder, {here}, got an environment with that of "
            f"{ours}; say here: make env && source .venv/bin/activate"
        )
    try:
        os.environ["ABD_PARAMS"] = freeze(load_params(Path("params.yaml")))
    except AbdError as error:
        raise WorkflowError(str(error)) from None


envvars:
    "ABD_PARAMS",


configfile: os.environ["ABD_PARAMS"]


try:
    # Networks of the user's own are tried once, not in every job's Snakemake.
    PLAN = make_plan(config, build_networks=is_first)
except AbdError as error:
    raise WorkflowError(str(error)) from None

if is_first:
    reconcile(PLAN)

NUMERICS = PLAN.top.numerics

# The reports read the whole plan: params.yaml with what --config changed in it.
os.environ["ABD_PLAN"] = freeze(config)


envvars:
    "ABD_PLAN",


if not is_first:
    forward_signals()

# Once, like the params: a job that runs later is of the code that it was planned with.
os.environ.setdefault(
    "ABD_COMMIT", described_commit(Path(workflow.basedir)) if is_first else ""
)


envvars:
    "ABD_COMMIT",


wildcard_constraints:
    dataset=r"[^/]+",
    trigger=r"[^/]+",
    teacher=r"[^/]+",
    teacher_seed=r"\d+",
    source=r"[^/]+",
    student=r"[^/]+",
    seed=r"\d+",
    guard=r"plain|first|searched",
    defense=r"none|sv|sr|sv_sr|abd",
    experiment=r"[^/.]+",


@cache
def spec(stage, wildcards):
    return job_spec(PLAN, stage, dict(wildcards))


def told(function):
    """Say once what a function takes: Snakemake asks it for every job, a tenth of planning."""
    function.__signature__ = signature(function)
    return function


def config_of(stage, **fixed):
    """The job's own slice of the parameters: a change of it re-runs the job."""
    return told(lambda w: spec(stage, tuple({**w, **fixed}.items())).config)


def code_of(stage, **fixed):
    """Digest of the code that shapes the job's numbers: a change re-runs the job."""
    return told(lambda w: spec(stage, tuple({**w, **fixed}.items())).code)


def memory_of(stage):
    """Main memory of the job, in MB: more with every retry, up to three times as much.

    Most retries of a long job are for its time limit, which more memory does not mend.
    """
    return told(
        lambda w, attempt: min(attempt, 3)
        * memory_mb(stage, PLAN.settings[w.dataset], dict(w))
    )


@told
def pool_of(w):
    """The images that the job's source draws from; nothing if it makes its own."""
    return pool_path(w.source, w.dataset) or []


@told
def weights_of(w):
    """The file of a teacher that was trained elsewhere."""
    return PLAN.settings[w.dataset].teacher.weights or []


@told
def monitor_of(w):
    """The test images that a job shows its progress on; nothing where there is no data."""
    return (
        []
        if w.trigger == UNKNOWN
        else f"results/poison/{w.dataset}/{w.trigger}/test.npz"
    )


@told
def own_data_of(w):
    """The user's own data; a folder's date says nothing, its listing is in the slice."""
    path = own_path(PLAN.settings[w.dataset])
    if path is None:
        return []
    return ancient(path) if Path(path).is_dir() else path


@told
def statistics_of(w):
    """The normalisation as it was found; nothing where params.yaml gives it."""
    return statistics_path(PLAN.settings[w.dataset], w.dataset) or []


@told
def labelled_of(w):
    """The operator's labelled images; nothing where the rule of `abd` needs none."""
    path = labelled_path(PLAN.settings[w.dataset])
    if path is None:
        return []
    return ancient(path) if Path(path).is_dir() else path


def plain_of(name):
    """A file of the plain run; nothing where the rule of `abd` cannot go back to it."""
    return told(lambda w: plain_path(PLAN.settings[w.dataset], name, w) or [])


# A practitioner's teacher is nobody's study: there is nothing to compare.
is_tracked = bool(PLAN.studies(PLAN.top.run))


onsuccess:
    if is_tracked:
        shell("abd track sync || true")
    # What this run was asked for: the experiments whose report is in its DAG.
    reports = [job for job in workflow.dag.jobs if job.rule.name == "report"]
    asked = sorted(job.wildcards.experiment for job in reports)
    if asked:
        shell('abd show --params "$ABD_PLAN" --finished {asked:q}')


onerror:
    if is_tracked:
        shell("abd track sync || true")
