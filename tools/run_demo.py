"""`make demo`: runs the demo, also after a run that was killed.

A killed Snakemake leaves its lock behind. The lock held here ends with the process that
holds it, so whoever gets it knows that no other `make demo` runs and may clear the rest.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

LOCK = Path("work", "demo.lock")


def main() -> int:
    """Run the demo; return Snakemake's exit status, or 1 where another run is under way."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make demo: another make demo is running in this folder", file=sys.stderr)
            return 1
        subprocess.run(["snakemake", "--unlock"], capture_output=True, check=False)
        return subprocess.call(["snakemake", "--profile", "profiles/local", "demo"])


if __name__ == "__main__":
    sys.exit(main())
