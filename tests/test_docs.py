"""The documentation is built as a site, and no link of it leads nowhere."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("*.md", "mkdocs.yml", "params.yaml", "LICENSE", "*.cff", "docs/**/*.*",
         "reports/evidence/**/*.*", "profiles/**/*.*", "tests/hostile.py")  # fmt: skip


def _build(folder):
    command = [sys.executable, str(ROOT / "tools/build_docs.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_link_leads_somewhere_and_a_wrong_one_is_named(tmp_path):
    for pattern in PARTS:
        for source in ROOT.glob(pattern):
            target = tmp_path / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    done = _build(tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "work/docs/site/docs/purify.html").read_text("utf-8")
    assert "images/verdict.png" in page
    with (tmp_path / "docs/data.md").open("a") as file:
        file.write("\n[there](nowhere.md)\n")
    broken = _build(tmp_path)
    assert broken.returncode == 1
    assert "nowhere.md" in broken.stderr
