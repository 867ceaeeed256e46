"""Two ways to show running jobs: bars on a terminal, lines anywhere else."""

from __future__ import annotations

import re
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

PROGRESS = re.compile(r"^progress (\d+)/(\d+)(.*)$", re.MULTILINE)
TAIL = 4096  # bytes of a log that are looked at
REFRESH = 0.5  # seconds
BAR = 12  # characters


class Display(Protocol):
    """What the handler tells."""

    def say(self, text: str) -> None:
        """Show a message."""

    def total(self, n_jobs: int) -> None:
        """A run of `n_jobs` jobs begins."""

    def start(self, job: int, label: str, brief: str, log: str | None) -> None:
        """A job begins; `brief` names it where there is little room."""

    def end(self, job: int, seconds: float | None) -> None:
        """A job ended after some seconds; None: it failed."""

    def progress(self, done: int, total: int) -> None:
        """So many jobs of the run are done."""

    def close(self) -> None:
        """Nothing more comes."""


class Lines:
    """A line when a job starts and when it ends."""

    def __init__(self) -> None:
        self.labels: dict[int, str] = {}
        self.done = 0
        self.n_jobs = 0

    def say(self, text: str) -> None:
        """Write the message."""
        print(text, file=sys.stderr, flush=True)

    def total(self, n_jobs: int) -> None:
        """Say how many jobs there are."""
        self.n_jobs = n_jobs
        self.say(f"{n_jobs} jobs")

    def start(self, job: int, label: str, brief: str, log: str | None) -> None:
        """Say that a job begins."""
        self.labels[job] = label
        self.say(f"  start {label}")

    def end(self, job: int, seconds: float | None) -> None:
        """Say that a job ended."""
        name = self.labels.pop(job, str(job))
        if seconds is not None:
            self.done += 1
            self.say(f"  done  {name}, {seconds:.0f} s ({self.done}/{self.n_jobs})")

    def progress(self, done: int, total: int) -> None:
        """Say nothing: the jobs' own lines told."""

    def close(self) -> None:
        """Do nothing."""


class TimeLeft(ProgressColumn):
    """How long a job still takes, as its rounds went so far; of the run, how long it ran.

    Jobs differ too much for their number to say what the rest of a run takes.
    """

    def render(self, task: Task) -> Text:
        """Say it in hours, minutes and seconds."""
        left = None if task.fields["whole"] else task.time_remaining
        seconds = task.elapsed if left is None else left
        time = str(timedelta(seconds=int(seconds or 0)))
        return Text(time if left is None else f"{time} left", style="progress.elapsed")


def _cut() -> Column:
    """A column that takes half of the room left, and is cut to it."""
    return Column(ratio=1, no_wrap=True, overflow="ellipsis")


class Bars:
    """A bar for the run, and one for each running job, fed from its log."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars = Progress(
            SpinnerColumn(),
            # Where there is little room, names and notes are cut, never the numbers.
            TextColumn("{task.description}", table_column=_cut()),
            BarColumn(bar_width=None, table_column=Column(width=BAR)),
            MofNCompleteColumn(table_column=Column(no_wrap=True, justify="right")),
            TimeLeft(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[note]}", table_column=_cut()),
            console=self.console,
            expand=True,
            refresh_per_second=1 / REFRESH,
        )
        self.run: TaskID | None = None
        self.jobs: dict[int, tuple[TaskID, str, str | None]] = {}
        self.lock = threading.Lock()
        self.closed = threading.Event()

    def say(self, text: str) -> None:
        """Print above the bars."""
        self.bars.console.print(text, markup=False)

    def total(self, n_jobs: int) -> None:
        """Start the display."""
        if self.run is None and n_jobs:
            self.run = self.bars.add_task("all jobs", total=n_jobs, note="", whole=True)
            self.bars.start()
            threading.Thread(target=self._follow, daemon=True).start()

    def start(self, job: int, label: str, brief: str, log: str | None) -> None:
        """Add a bar; a rule without a log gets none."""
        with self.lock:
            if job not in self.jobs and log is not None:
                task = self.bars.add_task(f" {brief}", total=None, note="", whole=False)
                self.jobs[job] = (task, label, log)

    def end(self, job: int, seconds: float | None) -> None:
        """Turn the bar into a line."""
        with self.lock:
            if job not in self.jobs:
                return
            task, label, log = self.jobs.pop(job)
            self._read(task, log)
            note = self.bars.tasks[self.bars.task_ids.index(task)].fields["note"]
            self.bars.remove_task(task)
        if seconds is not None:
            self.say(f"done  {label}, {seconds:.0f} s  {note}".rstrip())

    def progress(self, done: int, total: int) -> None:
        """Move the run's bar; after the last job, leave the terminal to what follows."""
        if self.run is not None:
            self.bars.update(self.run, completed=done, total=total)
        if done == total:
            self.close()

    def close(self) -> None:
        """Stop the display."""
        if not self.closed.is_set():
            self.closed.set()
            self.bars.stop()

    def _follow(self) -> None:
        while not self.closed.wait(REFRESH):
            with self.lock:
                for task, _, log in self.jobs.values():
                    self._read(task, log)

    def _read(self, task: TaskID, log: str | None) -> None:
        found = last_progress(Path(log)) if log else None
        if found is not None:
            done, total, note = found
            self.bars.update(task, completed=done, total=total, note=note)


def last_progress(log: Path) -> tuple[int, int, str] | None:
    """The last progress line of a job's log: done, total, and what it shows."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    found = PROGRESS.findall(text)
    if not found:
        return None
    done, total, note = found[-1]
    return int(done), int(total), note.strip()
