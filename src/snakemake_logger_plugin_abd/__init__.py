"""Snakemake's display for abd: `--logger abd` shows stages, moving bars, Acc and ASR.

On a terminal every running job has a bar, fed by the progress lines in its log; anywhere
else a line is written when a job starts and when it ends. What went wrong is shown as
Snakemake words it, less its noise. Snakemake finds the plug-in by the name of this package.
"""

from __future__ import annotations

import os
import sys
import time
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

import yaml
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_abd.display import Bars, Display, Lines
from snakemake_logger_plugin_abd.wording import concerns_all, is_missing, worded

__all__ = ["LogHandler"]

SHOWN_ALWAYS = (LogEvent.ERROR, LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR)


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Turns Snakemake's events into a display of running jobs."""

    def __post_init__(self) -> None:
        terminal = sys.stderr.isatty() and not self.common_settings.nocolor
        self.display: Display = Bars() if terminal else Lines()
        self.started: dict[int, float] = {}
        self.said: set[str] = set()

    def emit(self, record: LogRecord) -> None:
        """Show one event."""
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)

    def _emit(self, record: LogRecord) -> None:
        event: Any = getattr(record, "event", None)
        if (
            self.common_settings.dryrun
            or event in SHOWN_ALWAYS
            or record.levelno >= WARNING
        ):
            text = self.format(record)
            known = experiments() if is_missing(text) else ()
            shown = worded(text, known) if text and text != "None" else None
            if shown and shown not in self.said:
                self.display.say(shown)
            if shown and concerns_all(shown):
                self.said.add(shown)
        if self.common_settings.dryrun:
            return
        fields = vars(record)
        if event == LogEvent.RUN_INFO:
            self.display.total(fields["stats"].get("total", 0))
        elif event == LogEvent.JOB_INFO:
            self.started[fields["jobid"]] = time.monotonic()
            log = next(iter(fields["log"] or []), None)
            self.display.start(fields["jobid"], label(fields), brief(fields), log)
        elif event == LogEvent.JOB_ERROR:
            self.display.end(fields["jobid"], None)
        elif event == LogEvent.JOB_FINISHED:
            begun = self.started.pop(fields["job_id"], time.monotonic())
            self.display.end(fields["job_id"], time.monotonic() - begun)
        elif event == LogEvent.PROGRESS:
            self.display.progress(fields["done"], fields["total"])

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.display.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """It replaces Snakemake's own display."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's own filter applies: --quiet, --verbose, --printshellcmds."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Errors are worded as Snakemake words them."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """It draws no graph."""
        return False


def experiments() -> list[str]:
    """The experiments of the plan; none before the rules have made one."""
    plan = os.environ.get("ABD_PLAN")
    if plan is None:
        return []
    return list(yaml.safe_load(Path(plan).read_text(encoding="utf-8"))["experiments"])


def label(fields: dict[str, Any]) -> str:
    """Name a job: its rule, and the wildcards that tell it from others."""
    return _named(fields, fields.get("wildcards") or {})


def brief(fields: dict[str, Any]) -> str:
    """Name a job by what mostly tells it from those that run beside it."""
    wildcards = fields.get("wildcards") or {}
    keys = [key for key in ("source", "seed", "defense", "trigger") if key in wildcards]
    return _named(fields, {key: wildcards[key] for key in keys or wildcards})


def _named(fields: dict[str, Any], wildcards: dict[str, Any]) -> str:
    seeds = {"teacher_seed": "t", "seed": "s"}
    parts = [f"{seeds.get(key, '')}{value}" for key, value in wildcards.items()]
    return " ".join([fields["rule_name"], *parts])
