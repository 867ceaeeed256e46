"""`make ui`: the MLflow UI on loopback, and the page that shows the runs.

MLflow opens on its pages for language models; the table of runs has an address of its own.
With `MLFLOW_TRACKING_URI` of a server nothing is started: that server has the UI.
"""

import os
import socket
import subprocess
import sys

from abd.storage.tracking import LOCAL, experiment_name, reason, set_up_mlflow

HOST, PORT = "127.0.0.1", os.environ.get("ABD_UI_PORT", "5000")


def main() -> int:
    """Say where the runs are, and serve them until Ctrl-C."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", LOCAL)
    remote = uri.startswith("http")
    root = uri.rstrip("/") if remote else f"http://{HOST}:{PORT}"
    errors = set_up_mlflow()
    from mlflow import MlflowClient

    try:
        found = MlflowClient(uri).get_experiment_by_name(experiment_name())
    except errors as error:
        return _refuse(f"{uri}: expected a store of MLflow, got {reason(error)}")
    if found is None:
        return _refuse(f"{uri} holds no runs yet; snakemake sends them as it ends")
    if not remote and (problem := port_problem(HOST, PORT)):
        return _refuse(problem)
    runs = f"{root}/#/experiments/{found.experiment_id}/runs?workflowType=machine_learning"
    print(f"the runs: {runs}", flush=True)
    if remote:
        return 0
    server = ["mlflow", "ui", "--backend-store-uri", uri, "--host", HOST, "--port", PORT]
    # Its workers for language models take over a gigabyte, and have nothing to do here.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    try:
        return subprocess.call(server, env=environment)
    except KeyboardInterrupt:
        return 0


def port_problem(host: str, port: str) -> str | None:
    """Why nothing can be served at a port; None where it can."""
    if not port.isdecimal() or int(port) >= 2**16:
        return f"ABD_UI_PORT: expected the number of a port, got {port!r}"
    with socket.socket() as one:
        if one.connect_ex((host, int(port))) == 0:
            return f"port {port} is taken; name another: ABD_UI_PORT=5001 make ui"
    return None


def _refuse(message: str) -> int:
    print(f"make ui: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
