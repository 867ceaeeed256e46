"""What `make ui` says, in a line, where there is nothing to show or no way to show it."""

import socket
import sys

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
    for port in ("x", "70000"):
        assert refusal(ABD_UI_PORT=port).startswith("ABD_UI_PORT: expected the number of")
    away = f"http://127.0.0.1:{free_port()}"
    said = refusal(MLFLOW_TRACKING_URI=away, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert said.startswith(f"{away}: expected a store of MLflow, got Connection refused")
    (copied.folder / "mlflow.db").unlink()
    assert "holds no runs yet; snakemake sends them as it ends" in refusal()
    (copied.folder / "mlflow.db").write_text("no database")
    assert (
        "expected a store of MLflow, got (sqlite3.DatabaseError) file is not" in refusal()
    )
    sync = copied.run("abd", "track", "sync", check=False)
    assert sync.returncode == 1
    (line,) = sync.stderr.splitlines()
    assert "expected to send runs, got (sqlite3.DatabaseError) file is not" in line
