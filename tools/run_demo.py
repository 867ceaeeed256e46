"""`make demo`: runs the demo, also after a run that was killed.

A killed Snakemake leaves its locks behind. They are cleared only where there were any, and
then no Snakemake at all, nor a DVC that may start one, works in this folder.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

import psutil

from abd.stages.foreground import run_in_foreground

LOCK = Path("work", "demo.lock")
SNAKEMAKES = Path(".snakemake", "locks")


def locked_by_none() -> bool:
    """Whether there are locks here, and no process that could have made them.

    The same locks before and after: while they are there no other Snakemake begins here.
    """
    before = _locks()
    return bool(before) and not runner_is_here() and _locks() == before


def _locks() -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_mtime_ns) for path in SNAKEMAKES.glob("*")}


def runner_is_here() -> bool:
    """Whether a live Snakemake or DVC of any user works in this folder."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        names = [Path(part).name for part in process.info["cmdline"] or []]
        named = any("snakemake" in name or name == "dvc" for name in names)
        # A process whose folder is hidden from us may be one.
        if named and process.info["cwd"] in (None, str(Path.cwd())):
            return True
    return False


def main() -> int:
    """Run the demo; return Snakemake's exit status, or 1 where another run is under way."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make demo: another make demo is running in this folder", file=sys.stderr)
            return 1
        if locked_by_none():
            subprocess.run(["snakemake", "--unlock"], capture_output=True, check=False)
        return run_in_foreground(["snakemake", "--profile", "profiles/local", "demo"])


if __name__ == "__main__":
    sys.exit(main())
