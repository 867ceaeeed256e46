"""`make docs`: the documentation as a site in work/docs/site, every link checked.

The repository's own pages and pictures are copied below work/docs/pages, in their folders,
and mkdocs makes the site of them; a link that leads nowhere ends it with an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PAGES = Path("work/docs/pages")
FILES = ("*.md", "docs/*.md", "docs/images/*", "reports/evidence/*/*", "LICENSE", "*.cff",
         "profiles/*/config.yaml", "params.yaml", "reports/evidence/params.yaml",
         "tests/hostile.py")  # fmt: skip


def main() -> int:
    """Copy the pages and build the site; return mkdocs' exit status."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for pattern in FILES:
        for source in sorted(Path().glob(pattern)):
            target = PAGES / source
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # of a successor, on every build
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    print("written: work/docs/site/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
