"""Stage distill: the student, plain, with the first vaccine or with the searched one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import torch
from torch import nn

from abd.distillation import Distillation
from abd.seeding import torch_stream
from abd.stages.drive import Driver, watch
from abd.stages.job import Job, say
from abd.stages.load import load_teacher, make_source, new_student, use_numerics
from abd.storage.checkpoints import read_state, read_tensors, write_net, write_state
from abd.storage.files import read_json, replacing
from abd.storage.results import write_history
from abd.vaccine import Permutations, ShuffledTeacher, draw_trial

PLAIN = {"state": "plain_state", "student": "plain_student", "history": "plain_history"}


def run(job: Job) -> Mapping[str, object]:
    """Distil to the end, saving the state at lambda; copy where no vaccine was found."""
    config = job.config
    if config["guard"] == "searched" and not read_json(job.inputs["vaccine"])["found"]:
        return _copy_plain(job)
    device = use_numerics(config["numerics"])
    teacher = load_teacher(job, device)
    vaccine = _vaccine(job, teacher)
    student = new_student(job, device)
    distillation = Distillation(
        student,
        make_source(job, teacher, device, vaccine),
        seed=config["seed"],
        log_every=config["log_every"],
    )
    if "warm" in job.inputs:
        distillation.load(read_state(job.inputs["warm"]))
    start = distillation.position
    driver = Driver(job, distillation, config["total"], watch(job, student, device))
    at_lambda = job.work / "lambda.safetensors"
    if distillation.position <= config["lambda"]:
        driver.until(config["lambda"])
        write_state(at_lambda, distillation.state())
    driver.until(config["total"])

    with replacing(job.outputs["state"]) as temporary:
        shutil.copyfile(at_lambda, temporary)
    write_net(job.outputs["student"], student)
    write_history(job.outputs["history"], driver.history)
    driver.done()
    at_lambda.unlink()
    return {"rounds": distillation.position - start}


def _copy_plain(job: Job) -> Mapping[str, object]:
    """Take the plain run's results: without a vaccine this distillation is that one."""
    say("no vaccine was found: the plain run's student is taken")
    for output, source in PLAIN.items():
        with replacing(job.outputs[output]) as temporary:
            shutil.copyfile(job.inputs[source], temporary)
    return {"rounds": 0, "reused_from": str(job.inputs["plain_student"])}


def _vaccine(job: Job, teacher: nn.Module) -> ShuffledTeacher | None:
    """The shuffled teacher of this job's guard."""
    config = job.config
    if config["guard"] == "plain":
        return None
    if config["guard"] == "first":
        settings = config["vaccine"]
        stream = torch_stream(config["seed"], "vaccine", 0)
        members = draw_trial(teacher, settings["n_conv"], settings["members"], stream)
        return ShuffledTeacher(teacher, members)
    tensors, _ = read_tensors(job.inputs["permutations"])
    members = _members(tensors)
    return ShuffledTeacher(teacher, members)


def _members(tensors: Mapping[str, torch.Tensor]) -> list[Permutations]:
    """Permutations by member, from tensors named "<member>/<weight>"."""
    members: dict[int, Permutations] = {}
    for path, order in tensors.items():
        member, _, name = path.partition("/")
        members.setdefault(int(member), {})[name] = order
    return [members[i] for i in sorted(members)]
