"""Runs the study's rules on one given teacher, and writes what its owner takes away."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import abd
from abd.config import Plan, load_params, make_plan
from abd.config.paths import photo_files
from abd.config.schema import Settings
from abd.data.photos import load_photo
from abd.data.there import is_file
from abd.errors import AbdError, Interrupted, printable
from abd.nets import build_net
from abd.patches import Recipe, make_patches
from abd.purify.labelled import read_labelled
from abd.purify.options import EXPERIMENT, NAME, Options, own_settings, params_of
from abd.purify.wording import in_options
from abd.seeding import numpy_stream
from abd.stages.foreground import run_in_foreground
from abd.storage.files import in_words, write_text
from abd.storage.foreign import read_foreign_net

# Where the rules lie: abd is used from a clone.
ROOT = Path(abd.__file__).parents[2]
PARAMS = "params.yaml"
WORK = "work"
LOCK = "purify.lock"  # below it, for as long as somebody works there


def plan_of(options: Options) -> tuple[dict[str, Any], Plan, list[str]]:
    """The params of a purification, their plan, and which sections are the user's own.

    Raises AbdError listing all that is wrong. What the user gave is looked into, too:
    weights, photographs, labelled images.
    """
    if not (ROOT / "Snakefile").is_file():
        raise AbdError(
            f"purify: expected abd's rules at {ROOT}, got no Snakefile there; install it "
            "from a clone with make env"
        )
    own = {} if options.settings is None else own_settings(options.settings)
    params = params_of(options, load_params(ROOT / PARAMS), own)
    with in_options():
        plan = make_plan(params, build_networks=True)
    settings, cell = plan.settings[NAME], options.cell()
    read_foreign_net(options.teacher, build_net(cell.teacher, options.classes))
    if settings.distill.of(cell.source).pool == "patches":
        for photo in settings.patches.photos:
            _cut_one(photo, settings)
    elif options.images:
        raise AbdError(f"--image: expected none for {cell.source}, which makes its images")
    labelled = settings.retrospect.labelled or ""
    for path in (str(options.teacher.resolve()), *photo_files(settings), labelled):
        if set("{}") & set(path):
            raise AbdError(
                f"{printable(path)}: expected a path without {{ and }}, which Snakemake "
                "takes for its own; rename it"
            )
    read_labelled(options)
    return params, plan, sorted(own)


def _cut_one(photo: str, settings: Settings) -> None:
    """AbdError where no patch can be cut from a photograph."""
    recipe = Recipe(**settings.patches.recipe.model_dump())
    stream = numpy_stream(0, "purify", "photo")
    try:
        make_patches(load_photo(photo), 1, settings.fetch.size, recipe, stream)
    except ValueError as error:
        raise AbdError(f"{printable(photo)}: {error}") from None


@contextmanager
def working_in(out: Path) -> Iterator[int]:
    """Have the folder for oneself; give what stands for that, for a command to hold on to.

    Raises AbdError where another purification works there, or where there are files of
    somebody else: `README.md` is a name that others have, too.
    """
    work = out / WORK
    with in_words(out):
        if out.is_dir() and any(out.iterdir()) and not (work / LOCK).is_file():
            raise AbdError(
                "--out: expected a new folder, or one of abd purify's, got "
                f"{printable(out)} with other files in it"
            )
        work.mkdir(parents=True, exist_ok=True)
        lock = (work / LOCK).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AbdError(
                f"--out: another abd purify works in {printable(out)}; wait for it, or "
                "give another folder"
            ) from None
        yield lock.fileno()


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
    write_text(there, yaml.safe_dump(dict(params), sort_keys=False))
    return work


def options_of_snakemake(profile: str | None, cores: int | None) -> list[str]:
    """Snakemake's options; AbdError where there is no such profile.

    profile: the name of one of abd's, or a folder.
    """
    chosen = [] if cores is None else ["--cores", str(cores)]
    if profile is None:
        return chosen
    folders = (Path(profile), ROOT / "profiles" / profile)
    folder = next((f for f in folders if is_file(f / "config.yaml")), None)
    if folder is None:
        raise AbdError(
            "--profile: expected a folder with a config.yaml, or one of abd's, got "
            f"{printable(profile)}"
        )
    return [*chosen, "--profile", str(folder.resolve())]


def run(work: Path, options: Sequence[str], lock: int) -> None:
    """Run the rules; AbdError where they do not come to their end.

    options: Snakemake's; lock: what `working_in` gave. Raises Interrupted where a signal
    stopped them: the same command goes on.
    """
    snakemake = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(work)),
        *("--workflow-profile", str(ROOT / "profiles" / "default")),
        *options,
    ]
    env = _environment()
    if any((work / ".snakemake" / "locks").glob("*")):  # whoever made them is gone
        subprocess.run([*snakemake, "--unlock"], env=env, capture_output=True, check=False)
    asked: list[int] = []
    status = run_in_foreground(
        [*snakemake, "--", EXPERIMENT], env, pass_fds=[lock], asked=asked
    )
    if asked:
        raise Interrupted("purify: stopped; the same command goes on from there")
    if status:
        raise AbdError(
            "purify: a job failed, see above; mended, the same command goes on from there"
        )


def _environment() -> dict[str, str]:
    """That of the jobs: commands of this environment, modules from wherever they run."""
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    env = {**os.environ, "PATH": os.pathsep.join(paths)}
    if modules := os.environ.get("PYTHONPATH"):
        absolute = [str(Path(part).resolve()) for part in modules.split(os.pathsep)]
        env["PYTHONPATH"] = os.pathsep.join(absolute)
    return env
