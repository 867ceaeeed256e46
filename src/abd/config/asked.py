"""What plans ask of each folder of results: the job that is to have made it."""

from __future__ import annotations

from collections.abc import Iterable

from abd.config.cells import expand
from abd.config.jobs import JobSpec, job_spec
from abd.config.plan import Plan
from abd.config.stage_jobs import stage_jobs


def asked_jobs(plans: Iterable[Plan]) -> dict[str, list[JobSpec]]:
    """Return the specs by folder, of every experiment of the plans.

    A folder has several where plans ask for the same cell under different params, and none
    where it is only of experiments that were set aside.
    """
    asked: dict[str, list[JobSpec]] = {}
    for plan in plans:
        cells = (cell for cells in plan.cells.values() for cell in cells)
        jobs = {
            job.folder: job for cell in dict.fromkeys(cells) for job in stage_jobs(cell)
        }
        for folder, job in jobs.items():
            spec = job_spec(plan, job.stage, job.wildcards)
            if spec not in asked.setdefault(folder, []):
                asked[folder].append(spec)
        for name in plan.set_aside:
            for cell in expand(plan.top.experiments[name]):
                for job in stage_jobs(cell):
                    asked.setdefault(job.folder, [])
    return asked
