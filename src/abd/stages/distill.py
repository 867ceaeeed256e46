"""Stage distill: the student, plain, with the first vaccine or with the searched one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from abd.distillation import Distillation
from abd.stages.distilling import load_teacher, load_vaccine, make_source, new_student
from abd.stages.drive import Driver
from abd.stages.job import Job, say
from abd.stages.load import compiled, graphed, use_numerics
from abd.stages.watch import watch
from abd.storage.checkpoints import read_state, write_net, write_state
from abd.storage.files import read_json, replacing
from abd.storage.results import write_history

PLAIN = {"state": "plain_state", "student": "plain_student", "history": "plain_history"}


def run(job: Job) -> Mapping[str, object]:
    """Distil to the end, saving the state at lambda; copy where no vaccine was found."""
    config = job.config
    if config["guard"] == "searched" and not read_json(job.inputs["vaccine"])["found"]:
        return _copy_plain(job)
    device = use_numerics(config["numerics"])
    teacher = load_teacher(job, device)
    vaccine = load_vaccine(job, teacher)
    student = new_student(job, device)
    as_graph = graphed(config["numerics"], device)
    distillation = Distillation(
        student,
        make_source(job, teacher, device, vaccine, graphed=as_graph),
        seed=config["seed"],
        log_every=config["log_every"],
        graphed=as_graph,
        compiled=compiled(config["numerics"], device),
    )
    if "warm" in job.inputs:
        distillation.load(read_state(job.inputs["warm"]))
    start = distillation.position
    driver = Driver(job, distillation, config["total"], watch(job, student, device))
    if distillation.position <= config["lambda"]:
        driver.until(config["lambda"])
        driver.mark("lambda")
    driver.until(config["total"])

    write_state(job.outputs["state"], driver.marked("lambda"))
    write_net(job.outputs["student"], student)
    write_history(job.outputs["history"], driver.history)
    driver.done()
    return {"rounds": distillation.position - start}


def _copy_plain(job: Job) -> Mapping[str, object]:
    """Take the plain run's results: without a vaccine this distillation is that one."""
    say("no vaccine was found: the plain run's student is taken")
    for output, source in PLAIN.items():
        with replacing(job.outputs[output]) as temporary:
            shutil.copyfile(job.inputs[source], temporary)
    return {"rounds": 0, "reused_from": str(job.inputs["plain_student"])}
