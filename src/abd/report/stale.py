"""Which cells of a report are not what its params, code and results would give now."""

from __future__ import annotations

from collections.abc import Iterable

from abd.config import Plan
from abd.config.cells import Cell
from abd.config.stage_jobs import stage_jobs
from abd.provenance.currency import Currency


def stale_cells(plan: Plan, cells: Iterable[Cell]) -> list[tuple[Cell, str]]:
    """Return the cells that are stale, each with the first of its jobs that is, and why."""
    currency = Currency(plan)
    stale = []
    for cell in cells:
        told = ((job.stage, currency.why_stale(job)) for job in stage_jobs(cell))
        first = next((f"{stage} {why}" for stage, why in told if why is not None), None)
        if first is not None:
            stale.append((cell, first))
    return stale
