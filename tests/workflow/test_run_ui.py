"""What `make ui` says, in a line, where there is nothing to show or no way to show it."""

import socket
import sqlite3
import sys
from contextlib import closing

import pytest

from tests.workflow.conftest import ROOT, free_port


@pytest.fixture
def refusal(copied):
    """Run `make ui` in the finished workflow, and return the line that it ends with."""

    def run(**environment):
        done = copied.run(
            sys.executable, str(ROOT / "tools/run_ui.py"), check=False, **environment
        )
        assert done.returncode == 1
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        return line.removeprefix("make ui: ")

    return run


def test_what_makes_it_impossible_is_said_in_a_line(refusal, copied):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert refusal(ABD_UI_PORT=port).startswith(f"port {port} is taken; name another")
    for port in ("x", "70000", "0", "٣٣"):
        assert refusal(ABD_UI_PORT=port).startswith("ABD_UI_PORT: expected the number of")
    away = f"http://127.0.0.1:{free_port()}"
    said = refusal(MLFLOW_TRACKING_URI=away, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert said.startswith(f"{away}: expected a store of MLflow, got Connection refused")
    (copied.folder / "mlflow.db").unlink()
    assert "holds no runs yet; snakemake sends them as it ends" in refusal()


def _damaged(path):
    path.unlink()
    path.write_text("no database")


def _folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_damaged, "file is not a database"), (_folder, "")],  # what it says of one differs
)
def test_a_store_that_cannot_be_read_is_said_at_once(refusal, copied, damage, said):
    damage(copied.folder / "mlflow.db")
    line = f"mlflow.db: expected a database of MLflow, got: {said}"
    assert refusal().startswith(line)
    sync = copied.run("abd", "track", "sync", check=False)
    assert sync.returncode == 1
    assert sync.stderr.startswith(f"abd: error: {line}")
    assert len(sync.stderr.splitlines()) == 1


def test_a_store_that_another_process_holds_is_said(refusal, copied):
    with closing(sqlite3.connect(copied.folder / "mlflow.db")) as database:
        database.execute("begin exclusive")
        assert "got: database is locked; wait if it is at work" in refusal()
