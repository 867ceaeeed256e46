"""Stage retrospect: the student finds and unlearns its own backdoor, from lambda on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from abd.distillation import Distillation
from abd.history import Record
from abd.registry import load_object
from abd.retrospection import RetrospectionSettings, SelfRetrospection
from abd.schedules import cosine
from abd.stages.distilling import load_teacher, load_vaccine, make_source, new_student
from abd.stages.drive import Driver
from abd.stages.job import Job
from abd.stages.load import use_numerics
from abd.stages.watch import watch
from abd.storage.checkpoints import read_state, write_net
from abd.storage.files import replacing, write_json
from abd.storage.results import read_history, write_history


def run(job: Job) -> Mapping[str, object]:
    """Go on from the state at lambda with self-retrospection, or copy where the rule says.

    For `abd` it is decided whether, and from where; `sr` and `sv_sr` always do.
    """
    config = job.config
    device = use_numerics(config["numerics"])
    outcome, restarted = config["defense"], False
    if outcome == "abd":
        # By name: what decides must not be in the digest of jobs that decide nothing.
        decision = load_object("abd.stages.deciding:decide")(job, device)
        outcome, restarted = decision.outcome, decision.restarted
        write_json(job.outputs["decision"], decision.record())
    if outcome == "sv":
        return _copy_final(job)
    teacher = load_teacher(job, device)
    student = new_student(job, device)
    # Without `retrospect.sv` a job has no guard, and the source goes on by itself.
    vaccine = None if outcome == "sr" else load_vaccine(job, teacher)
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
    state = job.inputs["plain_state" if restarted else "state"]
    distillation.load(read_state(state), fresh_optimizer=True)
    driver = Driver(job, distillation, total, watch(job, student, device))
    driver.until(total)
    write_net(job.outputs["student"], student)
    before = _plain_history(job) if restarted else []
    write_history(job.outputs["history"], [*before, *driver.history])
    driver.done()
    return {"rounds": total - start}


def _plain_history(job: Job) -> list[Record]:
    """The plain run's points up to lambda: where a restart's curve comes from."""
    points = read_history(job.inputs["plain_history"])
    return [
        Record(int(point["step"]), {k: v for k, v in point.items() if k != "step"})
        for point in points
        if point["step"] <= job.config["lambda"]
    ]


def _copy_final(job: Job) -> Mapping[str, object]:
    """Take the distilled student."""
    with replacing(job.outputs["student"]) as temporary:
        shutil.copyfile(job.inputs["final"], temporary)
    write_history(job.outputs["history"], [])
    return {"rounds": 0, "reused_from": str(job.inputs["final"])}
