"""`make demo`: runs the demo, also after a run that was killed.

A killed Snakemake leaves its lock behind. It is cleared only where no Snakemake at all
works in this folder any more.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

import psutil

LOCK = Path("work", "demo.lock")


def snakemake_is_here() -> bool:
    """Whether a live Snakemake of any user has this folder as its working directory."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        named = any("snakemake" in part for part in process.info["cmdline"] or [])
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
        if not snakemake_is_here():
            subprocess.run(["snakemake", "--unlock"], capture_output=True, check=False)
        return subprocess.call(["snakemake", "--profile", "profiles/local", "demo"])


if __name__ == "__main__":
    sys.exit(main())
