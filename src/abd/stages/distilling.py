"""What the stages of a distillation load alike: teacher, student, source, vaccine."""

from __future__ import annotations

import torch
from torch import nn

from abd.config.sources import settings_class
from abd.errors import AbdError
from abd.nets import build_net
from abd.nets.folding import folded
from abd.registry import load_object
from abd.seeding import torch_stream
from abd.shuffling import Permutations, ShuffledTeacher, draw_trial
from abd.sources.base import Context, Guard, Source
from abd.stages.job import Job
from abd.stages.load import normalization, place
from abd.storage.arrays import read_arrays
from abd.storage.checkpoints import read_net, read_tensors


def load_teacher(job: Job, device: torch.device) -> nn.Module:
    """Load the frozen teacher, in eval mode, folded unless the job's source forbids it."""
    config = job.config
    net = build_net(config["teacher_net"], config["images"]["n_classes"])
    read_net(job.inputs["teacher"], net)
    return folded_for(config.get("source"), place(net, device).eval().requires_grad_(False))


def folded_for(source: str | None, net: nn.Module) -> nn.Module:
    """A frozen teacher with its BatchNorms folded away, unless the source reads them."""
    if source is not None and settings_class(source).reads_batch_norm:
        return net
    return folded(net)


def new_student(job: Job, device: torch.device) -> nn.Module:
    """Build the student with the initial weights of its seed."""
    config = job.config
    init = torch_stream(config["seed"], "student", "init")
    net = build_net(config["student_net"], config["images"]["n_classes"], init)
    return place(net, device)


def make_source(
    job: Job,
    teacher: nn.Module,
    device: torch.device,
    vaccine: ShuffledTeacher | None = None,
    *,
    graphed: bool = False,
) -> Source:
    """Build the job's surrogate source from its pool and its settings."""
    config = job.config
    context = Context(
        teacher=teacher,
        normalize=normalization(job),
        device=device,
        size=config["images"]["size"],
        n_classes=config["images"]["n_classes"],
        seed=config["seed"],
        rounds=config["total"],
        vaccine=vaccine,
        guard=Guard(**config.get("vaccine_guard", {})),
        graphed=graphed,
    )
    pool = read_arrays(job.inputs["pool"]) if "pool" in job.inputs else {}
    build = load_object(settings_class(config["source"]).build)
    try:
        source: Source = build(context, pool, **config["settings"])
    except ValueError as error:
        raise AbdError(f"params.yaml: distill.{config['source']}: {error}") from None
    return source


def draw(job: Job, teacher: nn.Module, trial: int) -> list[Permutations]:
    """Draw the shuffles of a trial; AbdError where the teacher has too few convolutions."""
    settings = job.config["vaccine"]
    stream = torch_stream(job.config["seed"], "vaccine", trial)
    try:
        return draw_trial(teacher, settings["n_conv"], settings["members"], stream)
    except ValueError as error:
        raise AbdError(f"params.yaml: vaccine.{error}") from None


def load_vaccine(job: Job, teacher: nn.Module) -> ShuffledTeacher | None:
    """The shuffled teacher of this job's guard; None where it has none."""
    guard = job.config.get("guard", "plain")
    if guard == "plain":
        return None
    if guard == "first":
        return ShuffledTeacher(teacher, draw(job, teacher, 0))
    return ShuffledTeacher(teacher, load_permutations(job))


def load_permutations(job: Job) -> list[Permutations]:
    """The permutations that stage vaccine wrote, by member of the ensemble."""
    tensors, _ = read_tensors(job.inputs["permutations"])
    members: dict[int, Permutations] = {}
    for path, order in tensors.items():
        member, _, name = path.partition("/")
        members.setdefault(int(member), {})[name] = order
    return [members[i] for i in sorted(members)]
