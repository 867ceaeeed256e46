"""`snakemake --lint`, with one demand excepted: abd names no container.

The environment is requirements.lock; a container would be a second place to keep.
"""

import json
import subprocess
import sys

EXCEPTED = "Specify a conda environment or container for each rule."


def main() -> int:
    """Print what the linter finds; return 1 where it finds anything."""
    done = subprocess.run(
        ["snakemake", "--lint", "json"], capture_output=True, text=True, check=False
    )
    if not done.stdout.strip():
        return done.returncode and (sys.stderr.write(done.stderr) or 1)
    found = json.loads(done.stdout)
    lints = [
        (place.get("rule") or place.get("snakefile"), lint["title"], lint["body"])
        for kind in ("rules", "snakefiles")
        for place in found.get(kind) or []
        for lint in place["lints"]
        if lint["title"] != EXCEPTED
    ]
    for place, title, body in lints:
        print(f"{place}: {title}\n    {body}")
    return int(bool(lints))


if __name__ == "__main__":
    sys.exit(main())
