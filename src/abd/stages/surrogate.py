"""Stage surrogate: the first batches of plain distillation, cached for the search."""

from __future__ import annotations

from abd.distillation import Distillation
from abd.stages.distilling import load_teacher, make_source, new_student
from abd.stages.drive import Driver
from abd.stages.job import Job
from abd.stages.load import use_numerics
from abd.storage.checkpoints import write_state, write_tensors
from abd.storage.results import write_history
from abd.surrogate import CachingSource


def run(job: Job) -> None:
    """Distil the warm prefix; write what the student saw, and where it stands."""
    config = job.config
    device = use_numerics(config["numerics"])
    source = CachingSource(
        make_source(job, load_teacher(job, device), device), config["skip"]
    )
    distillation = Distillation(
        new_student(job, device),
        source,
        seed=config["seed"],
        log_every=config["log_every"],
    )
    driver = Driver(job, distillation, config["warm"])
    driver.until(config["warm"])
    images, weights = source.cached()
    write_tensors(job.outputs["cache"], {"images": images, "weights": weights})
    distillation.source = source.source  # the cache is no part of the warm state
    write_state(job.outputs["warm"], distillation.state())
    write_history(job.outputs["history"], driver.history)
    driver.done()
