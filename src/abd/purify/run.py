"""Runs the study's rules on one given teacher, and writes what its owner takes away."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import abd
from abd.config import Plan, load_params, make_plan
from abd.data.labelled import check_labelled
from abd.errors import AbdError, Interrupted
from abd.purify.options import EXPERIMENT, Options, own_settings, params_of
from abd.stages.foreground import run_in_foreground
from abd.storage.files import in_words, write_text

# Where the rules lie: abd is used from a clone.
ROOT = Path(abd.__file__).parents[2]
PARAMS = "params.yaml"
WORK = "work"
EX_TEMPFAIL = 75


def plan_of(options: Options) -> tuple[dict[str, Any], Plan]:
    """The params of a purification, and their plan; AbdError listing all that is wrong."""
    if not (ROOT / "Snakefile").is_file():
        raise AbdError(
            f"purify: expected abd's rules at {ROOT}, got no Snakefile there; install it "
            "from a clone with make env"
        )
    own = {} if options.settings is None else own_settings(options.settings)
    params = params_of(options, load_params(ROOT / PARAMS), own)
    if options.test is not None:
        check_labelled(options.test, options.size, options.classes)
    return params, make_plan(params, build_networks=True)


def prepare(options: Options, params: Mapping[str, Any]) -> Path:
    """Write the params below the folder `options.out`; return the folder of the work.

    Where there were others before, says so: what they concern is made anew.
    """
    work = options.out / WORK
    there = work / PARAMS
    if there.is_file() and (before := load_params(there)) != params:
        changed = sorted(key for key in params if before.get(key) != params[key])
        print(
            f"abd purify: {there}: other settings than before ({', '.join(changed)}); what "
            "they concern is made anew",
            file=sys.stderr,
        )
    with in_words(work):
        work.mkdir(parents=True, exist_ok=True)
    write_text(there, yaml.safe_dump(dict(params), sort_keys=False))
    return work


def command(work: Path, *, profile: str | None, cores: int | None) -> list[str]:
    """The call of Snakemake that makes the student and the verdict.

    profile: the name of one of abd's, or a folder. Raises AbdError where there is none.
    """
    options = []
    if profile is not None:
        folders = (Path(profile), ROOT / "profiles" / profile)
        folder = next((f for f in folders if (f / "config.yaml").is_file()), None)
        if folder is None:
            raise AbdError(
                f"--profile: expected a folder with a config.yaml, or one of abd's, got "
                f"{profile}"
            )
        options += ["--profile", str(folder.resolve())]
    if cores is not None:
        options += ["--cores", str(cores)]
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(work)),
        *("--workflow-profile", str(ROOT / "profiles" / "default")),
        *options,
        *("--", EXPERIMENT),
    ]


def run(work: Path, *, profile: str | None, cores: int | None) -> None:
    """Run the rules; AbdError where they do not come to their end.

    Raises Interrupted where a signal stopped them: the same command goes on.
    """
    own = Path(sys.executable).parent  # the jobs' commands are of this environment
    env = {**os.environ, "PATH": f"{own}{os.pathsep}{os.environ['PATH']}"}
    status = run_in_foreground(command(work, profile=profile, cores=cores), env)
    if status in (-2, 130, EX_TEMPFAIL):
        raise Interrupted("purify: stopped; the same command goes on from there")
    if status:
        raise AbdError(
            "purify: a job failed, see above; the same command goes on from there"
        )
