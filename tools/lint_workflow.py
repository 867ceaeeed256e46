"""`snakemake --lint`, with one demand excepted: abd names no container.

The environment is requirements.lock; a container would be a second place to keep.
"""

import re
import subprocess
import sys

EXCEPTED = "Specify a conda environment or container for each rule."


def main() -> int:
    """Print what the linter finds; return 1 where it finds anything."""
    done = subprocess.run(
        ["snakemake", "--lint"], capture_output=True, text=True, check=False
    )
    place, n_found, n_excepted = "", 0, 0
    for line in done.stderr.splitlines():
        if line.startswith("Lints for "):
            place = line.removeprefix("Lints for ")
        elif found := re.match(r"    \* (.*):$", line):
            if found[1] == EXCEPTED:
                n_excepted += 1
            else:
                n_found += 1
                print(f"{place} {found[1]}")
    if not n_excepted:  # it names every rule: without it the linter did not run
        print(done.stderr, file=sys.stderr)
        return 1
    return int(n_found > 0)


if __name__ == "__main__":
    sys.exit(main())
