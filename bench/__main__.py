"""`make bench`: measure every figure, print it, write `reports/bench.json`."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from abd.storage.files import write_json
from bench.figures import FIGURES

N_THREADS = 2


def main() -> None:
    """Measure on two threads."""
    torch.set_num_threads(N_THREADS)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, {N_THREADS} threads, "
        f"torch {torch.__version__}"
    )
    records = []
    for measure in FIGURES:
        figure = measure()
        print(
            f"{figure.name:16} {figure.value:8.4f} s   {figure.ratio:6.2f} x "
            f"{figure.peer} ({figure.peer_value:.4f} s)"
        )
        records.append(figure.record(machine))
    write_json(Path("reports/bench.json"), records)
    print("written: reports/bench.json")


if __name__ == "__main__":
    main()
