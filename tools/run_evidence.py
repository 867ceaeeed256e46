"""`make evidence [PARTS="..."] [ON=cpu]`: the study on photographs, and what it shows.

Its parts are the experiments of `reports/evidence/params.yaml`; ON=cpu lays `cpu.yaml` of
that folder over it. Of each its folder below `reports/evidence/` keeps the table, the
record of every model, the figures, the seconds of every job, and where and from which
commit it was run. `make evidence OPTIONS="..."` hands options to Snakemake.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import torch
import yaml

from abd.config import Plan, load_params, load_plan
from abd.config.cells import expand
from abd.config.paths import benchmark_path
from abd.config.sections import merge
from abd.config.stage_jobs import stage_jobs
from abd.provenance.usage import job_seconds
from abd.report.summary import write_summary
from abd.stages.foreground import run_in_foreground
from abd.storage.commit import described_commit
from abd.storage.files import write_json

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
    text = shown_there(page.read_text(encoding="utf-8"), folder)
    (folder / "table.md").write_text(text, encoding="utf-8")
    plan = load_plan(merged)
    record = {"made": made(plan.top.numerics.device), "seconds": seconds(plan, part)}
    write_json(folder / "made.json", record)
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


def made(device: str) -> dict[str, object]:
    """The commit, the versions and the machine; ABD_COMMIT names it outside of Git."""
    packages = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    return {
        "commit": os.environ.get("ABD_COMMIT") or described_commit(),
        "python": platform.python_version(),
        **packages,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "device": device if device == "cpu" else torch.cuda.get_device_name(device),
    }


def seconds(plan: Plan, part: str) -> dict[str, float]:
    """What each job of an experiment's teachers and students took, by its path."""
    took = {}
    for cell in expand(plan.top.experiments[part]):
        for job in stage_jobs(cell):
            path = Path(benchmark_path(job.files[0]))
            if "teacher" in job.wildcards and path.is_file():
                took[job.folder.removeprefix("results/")] = job_seconds(path)
    return dict(sorted(took.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
