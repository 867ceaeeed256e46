"""`make ui`: the MLflow UI on loopback, and the page that shows the runs.

MLflow opens on its pages for language models; the table of runs has an address of its own.
With `MLFLOW_TRACKING_URI` of a server nothing is started: that server has the UI.
"""

import os
import signal
import socket
import sys

from abd.errors import AbdError
from abd.provenance.tracking import (
    LOCAL,
    check_local,
    experiment_name,
    reason,
    set_up_mlflow,
)
from abd.stages.foreground import run_in_foreground

HOST, PORT = "127.0.0.1", os.environ.get("ABD_UI_PORT", "5000")


def main() -> int:
    """Say where the runs are, and serve them until Ctrl-C."""
    try:
        return serve(os.environ.get("MLFLOW_TRACKING_URI") or LOCAL)
    except AbdError as error:
        print(f"make ui: {error}", file=sys.stderr)
        return 1


def serve(uri: str) -> int:
    """Serve the runs of a store; AbdError where there are none, or no way to."""
    remote = uri.startswith("http")
    root = uri.rstrip("/") if remote else f"http://{HOST}:{PORT}"
    check_local(uri)
    errors = set_up_mlflow()
    from mlflow import MlflowClient

    try:
        found = MlflowClient(uri).get_experiment_by_name(experiment_name())
    except errors as error:
        raise AbdError(f"{uri}: expected a store of MLflow, got {reason(error)}") from None
    if found is None:
        raise AbdError(f"{uri} holds no runs yet; snakemake sends them as it ends")
    if not remote:
        check_port(HOST, PORT)
    runs = f"{root}/#/experiments/{found.experiment_id}/runs?workflowType=machine_learning"
    print(f"the runs: {runs}", flush=True)
    if remote:
        return 0
    server = ["mlflow", "ui", "--backend-store-uri", uri, "--host", HOST, "--port", PORT]
    # Its workers for language models take over a gigabyte, and have nothing to do here.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    status = run_in_foreground(server, environment)
    return 0 if status == -signal.SIGINT else status


def check_port(host: str, port: str) -> None:
    """Raise AbdError where nothing can be served at a port."""
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise AbdError(f"ABD_UI_PORT: expected the number of a port, got {port!r}")
    with socket.socket() as one:
        if one.connect_ex((host, int(port))) == 0:
            raise AbdError(f"port {port} is taken; name another: ABD_UI_PORT=5001 make ui")


if __name__ == "__main__":
    sys.exit(main())
