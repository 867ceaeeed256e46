"""What plans ask of each folder of results: the job that is to have made it."""

from __future__ import annotations

from collections.abc import Iterable

from abd.config.cells import expand
from abd.config.jobs import JobSpec, job_spec
from abd.config.paths import stage_folders
from abd.config.plan import Plan


def asked_jobs(plans: Iterable[Plan]) -> dict[str, list[JobSpec]]:
    """Return the specs by folder, of every experiment of the plans.

    A folder has several where plans ask for the same cell under different params, and none
    where it is only of experiments that were set aside.
    """
    asked: dict[str, list[JobSpec]] = {}
    for plan in plans:
        cells = (cell for cells in plan.cells.values() for cell in cells)
        jobs = {
            folder: (stage, wildcards)
            for cell in dict.fromkeys(cells)
            for folder, stage, wildcards in stage_folders(cell)
        }
        for folder, (stage, wildcards) in jobs.items():
            spec = job_spec(plan, stage, wildcards)
            if spec not in asked.setdefault(folder, []):
                asked[folder].append(spec)
        for name in plan.set_aside:
            for cell in expand(plan.top.experiments[name]):
                for folder, _, _ in stage_folders(cell):
                    asked.setdefault(folder, [])
    return asked
