"""Stage retrospect: the student finds and unlearns its own backdoor, from lambda on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from abd.distillation import Distillation
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.schedules import cosine
from abd.stages.distilling import load_teacher, load_vaccine, make_source, new_student
from abd.stages.drive import Driver
from abd.stages.job import Job, say
from abd.stages.load import use_numerics
from abd.stages.watch import watch
from abd.storage.checkpoints import read_state, write_net
from abd.storage.files import read_json, replacing
from abd.storage.results import write_history


def run(job: Job) -> Mapping[str, object]:
    """Go on from the state at lambda with self-retrospection, or copy where the rule says.

    `abd` runs it where no vaccine was found, or where `retrospect.force` asks for it
    (method section 6.6); `sr` and `sv_sr` always do.
    """
    config = job.config
    found = "vaccine" in job.inputs and read_json(job.inputs["vaccine"])["found"]
    if config["defense"] == "abd" and found and not config["force"]:
        return _copy_final(job)
    device = use_numerics(config["numerics"])
    teacher = load_teacher(job, device)
    student = new_student(job, device)
    # Without `retrospect.sv` a job has no guard, and the source goes on by itself.
    searched_in_vain = config["defense"] == "abd" and not found
    vaccine = None if searched_in_vain else load_vaccine(job, teacher)
    source = make_source(job, teacher, device, vaccine)
    start, total = config["lambda"], config["total"]
    falling = cosine(config["lr"], total - start)
    settings = dict(config["retrospection"])
    distillation = Distillation(
        student,
        source,
        seed=config["seed"],
        log_every=config["log_every"],
        optimizer=source.optimizer.restarted(lambda position: falling(position - start)),
        extra=SelfRetrospection(RetrospectionSettings(**settings), teacher).step,
    )
    distillation.load(read_state(job.inputs["state"]), fresh_optimizer=True)
    driver = Driver(job, distillation, total, watch(job, student, device))
    driver.until(total)
    write_net(job.outputs["student"], student)
    write_history(job.outputs["history"], driver.history)
    driver.done()
    return {"rounds": total - start}


def _copy_final(job: Job) -> Mapping[str, object]:
    """Take the distilled student: with a vaccine in force there is nothing to unlearn."""
    say("a vaccine was found: the distilled student is taken as it is")
    with replacing(job.outputs["student"]) as temporary:
        shutil.copyfile(job.inputs["final"], temporary)
    write_history(job.outputs["history"], [])
    return {"rounds": 0, "reused_from": str(job.inputs["final"])}
