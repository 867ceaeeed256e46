"""`make evidence`: runs the evidence on real images, and keeps what it shows in git.

What is kept lies in `reports/evidence/`: the settings, the table, the record of every
model, the figures, the seconds of every job, and where and from which commit it was run.
"""

from __future__ import annotations

import csv
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from abd.storage.files import write_json

NAME = "evidence"
KEPT = Path("reports/evidence")
SETTINGS = KEPT / "params.yaml"
DATA = Path("data/cifar10_jpeg.npz")


def main() -> int:
    """Run and keep; return Snakemake's exit status, or 1 where the images are not there."""
    if not DATA.is_file():
        print(
            f"make evidence: {DATA}: expected CIFAR-10 as JPEG, got no such file; "
            "docs/evidence.md says how to make it",
            file=sys.stderr,
        )
        return 1
    options = ["--profile", "profiles/local", "--configfile", str(SETTINGS)]
    if status := subprocess.call(["snakemake", *options, "--", "all"]):
        return status
    shutil.copyfile("reports/summary.json", KEPT / "summary.json")
    shutil.copyfile(f"reports/pages/{NAME}.md", KEPT / "table.md")
    for figure in Path("reports/figures", NAME).glob("*.png"):
        shutil.copyfile(figure, KEPT / figure.name)
    write_json(KEPT / "made.json", {"made": made(), "seconds": seconds()})
    print(f"written: {KEPT}")
    return 0


def made() -> dict[str, object]:
    """The commit, the versions and the machine."""
    commit = subprocess.check_output(["git", "describe", "--always", "--dirty"], text=True)
    packages = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    return {
        "commit": commit.strip(),
        "python": platform.python_version(),
        **packages,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def seconds() -> dict[str, float]:
    """What each job on these images took, by the path of its record."""
    root = Path("benchmarks")
    took = {}
    for path in sorted(root.rglob("*.tsv")):
        if DATA.stem in str(path):
            with path.open() as file:
                (row,) = csv.DictReader(file, delimiter="\t")
            took[str(path.relative_to(root).with_suffix(""))] = float(row["s"])
    return took


if __name__ == "__main__":
    sys.exit(main())
