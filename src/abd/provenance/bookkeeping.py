"""Brings Snakemake's bookkeeping in line with the records of the results.

Snakemake's main process alone notes what a job was told, once the job has ended. Where it
was killed, and a cluster went on with the job, the results are there and nothing is noted:
no edit would make them anew. Where it was killed and a job of this machine went on, its
results count as broken off, and would be made once more. The records that jobs write know
better.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from abd.config import Plan
from abd.config.stage_jobs import StageJob, stage_jobs
from abd.errors import AbdError
from abd.provenance.currency import Currency
from abd.storage.records import check_artifact, record_path

if TYPE_CHECKING:
    from snakemake.persistence.file import FilePersistence

FOLDER = Path(".snakemake")


def reconcile(plan: Plan) -> None:
    """Have Snakemake make anew what is stale unbeknown to it, and keep what is finished.

    Results that it has a note of, and that are whole to it, are its own affair.
    """
    from snakemake.persistence.file import FilePersistence

    if not Path("results").is_dir():  # a large plan need not be walked
        return
    notes = FilePersistence(nolock=True, path=FOLDER)
    currency = Currency(plan)
    cells = dict.fromkeys(cell for own in plan.cells.values() for cell in own)
    for job in {job.folder: job for cell in cells for job in stage_jobs(cell)}.values():
        record = record_path(Path(job.files[0]))
        if not all(path.is_file() for path in (*map(Path, job.files), record)):
            continue
        broken_off = notes._filter_incomplete_keys(job.files)
        if broken_off:
            if currency.why_stale(job) is None and _is_whole(job):
                for path in job.files:
                    notes._delete_record(path)  # of what was there before
                    notes._unmark_incomplete(path)
        elif not _is_noted(notes, job) and currency.why_stale(job) is not None:
            for path in job.files:
                notes._mark_incomplete(path, None)


def _is_noted(notes: FilePersistence, job: StageJob) -> bool:
    folder = notes._metadata_path
    return all(Path(notes._record_path(folder, path)).is_file() for path in job.files)


def _is_whole(job: StageJob) -> bool:
    try:
        for path in map(Path, job.files):
            check_artifact(path)
    except AbdError:
        return False
    return True
