"""`make evidence [PARTS="..."] [ON=cpu]`: the study on photographs, and what it shows.

Its parts are the experiments of `reports/evidence/params.yaml`; ON=cpu lays `cpu.yaml` of
that folder over it. Of each its folder below `reports/evidence/` keeps the table, the
record of every model, the figures, the seconds of every job, and where and from which
commit they were run. `make evidence OPTIONS="..."` hands options to Snakemake.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from abd.config import Plan, load_params, load_plan
from abd.config.cells import expand
from abd.config.paths import benchmark_path
from abd.config.sections import merge
from abd.config.stage_jobs import StageJob, stage_jobs
from abd.provenance.usage import job_seconds
from abd.report.summary import write_summary
from abd.stages.foreground import run_in_foreground
from abd.storage.files import write_json
from abd.storage.records import records_beside

KEPT = Path("reports/evidence")
SETTINGS = KEPT / "params.yaml"
PAPER = Path("reports/paper.yaml")
DATA = Path("data/cifar10_jpeg.npz")
IMAGE = re.compile(r"\]\(([^)]+\.png)\)")
FIGURES = ("curves.png", "scores.png", "diagnosis.png")


def main(arguments: list[str]) -> int:
    """Run the parts before a "--", or all, with Snakemake's options after it.

    Return Snakemake's exit status, or 1 where they cannot run. Of several parts those that
    came to their end are kept.
    """
    at = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="make evidence")
    parser.add_argument("--on", choices=["cpu"])
    parser.add_argument("parts", nargs="*")
    asked, options = parser.parse_args(arguments[:at]), arguments[at + 1 :]
    files = [SETTINGS, *([KEPT / f"{asked.on}.yaml"] if asked.on else [])]
    settings: dict[str, object] = {}
    for file in files:
        settings = merge(settings, load_params(file))
    known = list(load_params(SETTINGS)["experiments"])
    if unknown := set(asked.parts) - set(known):
        return _refuse(f"expected some of {', '.join(known)}, got {', '.join(unknown)}")
    if not DATA.is_file():
        return _refuse(
            f"{DATA}: expected CIFAR-10 as JPEG, got no such file; docs/evidence.md says "
            "how to make it"
        )
    parts = asked.parts or known
    pages = {part: Path(f"reports/pages/{part}.md") for part in parts}
    for page in pages.values():  # what is there afterwards is of this run
        page.unlink(missing_ok=True)
    given = ("--configfile", *map(str, files), "--keep-going")
    local = ("--profile", "profiles/local", *given, *options)
    status = run_in_foreground(["snakemake", *local, "--", *parts])
    for part, page in pages.items():
        if page.is_file():
            keep(part, page, settings, KEPT / "_".join(filter(None, (part, asked.on))))
    return status


def _refuse(message: str) -> int:
    print(f"make evidence: {message}", file=sys.stderr)
    return 1


def keep(part: str, page: Path, settings: dict[str, object], folder: Path) -> None:
    """Copy what the finished experiment `part` shows into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    params = merge(load_params(Path("params.yaml")), {**settings, "run": [part]})
    merged = Path("work", f"{part}.yaml")
    merged.parent.mkdir(exist_ok=True)  # no job may have left a checkpoint there
    merged.write_text(yaml.safe_dump(params, sort_keys=False))
    write_summary(merged, PAPER, folder / "summary.json")
    for name in FIGURES:  # those that show no image of the data set
        figure = Path("reports/figures", part, name)
        if figure.exists():
            shutil.copyfile(figure, folder / name)
        else:  # one of an earlier run is none of this
            (folder / name).unlink(missing_ok=True)
    text = shown_there(page.read_text(encoding="utf-8"), folder)
    (folder / "table.md").write_text(text, encoding="utf-8")
    plan = load_plan(merged)
    jobs = list(jobs_of(plan, part))
    write_json(folder / "made.json", {"made": made(jobs), "seconds": seconds(jobs)})
    print(f"written: {folder}")


def shown_there(page: str, folder: Path) -> str:
    """The page of an experiment for `folder`: without sections whose pictures it lacks."""
    heading = "\n## "
    head, *sections = page.split(heading)
    kept = [
        section
        for section in sections
        if all((folder / Path(image).name).exists() for image in IMAGE.findall(section))
    ]
    return IMAGE.sub(lambda image: f"]({Path(image[1]).name})", heading.join([head, *kept]))


def jobs_of(plan: Plan, part: str) -> Iterator[StageJob]:
    """The jobs of an experiment's teachers and students."""
    for cell in expand(plan.top.experiments[part]):
        for job in stage_jobs(cell):
            if "teacher" in job.wildcards:
                yield job


def made(jobs: Iterable[StageJob]) -> dict[str, object]:
    """Commit, versions and device by the jobs' records; all of them, where they differ."""
    seen: dict[str, set[str | None]] = {}
    for record in records_beside([Path(job.files[0]) for job in jobs]):
        facts = {"commit": record["planned"]["commit"], "device": record["device"]}
        for name, value in {**facts, **record["versions"]}.items():
            seen.setdefault(name, set()).add(value)
    return {
        name: values.pop() if len(values) == 1 else sorted(values, key=str)
        for name, values in sorted(seen.items())
    }


def seconds(jobs: Iterable[StageJob]) -> dict[str, float]:
    """What each job took, by its path."""
    took = {}
    for job in jobs:
        path = Path(benchmark_path(job.files[0]))
        if path.is_file():
            took[job.folder.removeprefix("results/")] = job_seconds(path)
    return dict(sorted(took.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
