"""`make bench [FIGURES="sv_added ..."]`: measure, print, write `reports/bench.json`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from abd.storage.files import write_json
from abd.storage.machine import processor
from bench.figures import FIGURES, ON_A_GPU
from bench.sides import N_THREADS

OUTPUT = Path("reports/bench.json")


def main(names: list[str]) -> None:
    """Measure the figures `names`, or all; the others keep the records that they have."""
    known = [measure.__name__ for measure in FIGURES]
    if unknown := set(names) - set(known):
        sys.exit(f"bench: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    machine = (
        f"{processor()}, {os.cpu_count()} cores, {N_THREADS} threads, "
        f"torch {torch.__version__}"
    )
    before = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else []
    records = {record["name"]: record for record in before}
    for measure in FIGURES:
        if names and measure.__name__ not in names:
            continue
        if measure in ON_A_GPU and not torch.cuda.is_available():
            print(f"{measure.__name__:16} passed over: this machine has no CUDA device")
            continue
        figure = measure()
        print(
            f"{figure.name:16} {figure.value:9.4f} s   {figure.ratio:7.3f} x {figure.peer} "
            f"({figure.peer_value:.4f} s; aim {figure.aim:.3f})"
        )
        for key, value in figure.notes.items():
            print(f"    {key}: {value}")
        records[figure.name] = {**asdict(figure), "machine": machine}
    write_json(OUTPUT, [records[name] for name in known if name in records])
    print(f"written: {OUTPUT}")


if __name__ == "__main__":
    main(sys.argv[1:])
