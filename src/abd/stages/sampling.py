"""Samples what a job takes of its machine while it runs, into a file.

Beside Snakemake's own benchmarks, not among the results: no two runs take the same. Sent
to MLflow later, as the system metrics of the model that the job made.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

SECONDS = 10.0
# The system counts a process's time in steps of 10 ms: over less the share means nothing.
SECONDS_OF_A_SHARE = 0.1
MB = 2**20


@contextmanager
def sampled(path: Path, key: str) -> Iterator[None]:
    """Append a sample every few seconds, and one at the end of the block.

    The first line of the file says whose samples they are: a job with the same `key`, one
    that goes on after a stop, adds to them; another begins anew. Where the file cannot be
    written the job goes on without.
    """
    sampler = _Sampler(path, key)
    sampler.start()
    try:
        yield
    finally:
        sampler.finished.set()
        sampler.join()


class _Sampler(threading.Thread):
    def __init__(self, path: Path, key: str) -> None:
        super().__init__(daemon=True)
        self.path, self.key = path, key
        self.finished = threading.Event()
        self.process = psutil.Process()
        self._share_at = 0.0  # seconds

    def run(self) -> None:
        try:
            self._begin()
            self._share()  # counts from here on
            while not self.finished.wait(_interval()):
                self._sample()
            self._sample()
        except OSError:
            return

    def _begin(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        first = json.dumps({"key": self.key}) + "\n"
        if self.path.is_file():
            with self.path.open() as file:
                if file.readline() == first:
                    return
        self.path.write_text(first)

    def _sample(self) -> None:
        sample = {
            "time": int(1000 * time.time()),
            **self._share(),
            "memory_megabytes": round(self.process.memory_info().rss / MB, 1),
            **_gpu(),
        }
        with self.path.open("a") as file:
            file.write(json.dumps(sample) + "\n")

    def _share(self) -> dict[str, float]:
        """What the process took of a processor since the last; nothing after a moment."""
        now = time.monotonic()
        if now - self._share_at < SECONDS_OF_A_SHARE:
            return {}
        self._share_at = now
        return {"cpu_utilization_percentage": self.process.cpu_percent()}


def _gpu() -> dict[str, float]:
    """Memory of the GPUs that this process has allocated; nothing where it uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    reserved = map(torch.cuda.memory_reserved, range(torch.cuda.device_count()))
    return {"gpu_memory_megabytes": round(sum(reserved) / MB, 1)}


def _interval() -> float:
    """Seconds between two samples; tests ask for them more often."""
    return float(os.environ.get("ABD_SAMPLE_SECONDS", SECONDS))
