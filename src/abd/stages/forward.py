"""Hands a signal on to the jobs of the Snakemake that got it.

A cluster that ends a job, at its time limit say, signals the process that it started, and
that is a Snakemake. It waits for its jobs, which know of nothing until all are killed.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import psutil

HANDED_ON = (signal.SIGTERM, signal.SIGUSR1)


def forward_signals() -> None:
    """From now on send SIGTERM and SIGUSR1 to this process's children, too.

    To be called in the main thread. Handlers that are installed later still run.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGUSR1, lambda *_: None)  # its default would end this process
    threading.Thread(target=_forward, args=(reading,), daemon=True).start()


def _forward(reading: int) -> None:
    while True:
        for number in os.read(reading, 64):
            if number in HANDED_ON:
                for child in psutil.Process().children():
                    with suppress(psutil.NoSuchProcess):
                        child.send_signal(number)
