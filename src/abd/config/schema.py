"""The schema of params.yaml, section by section: frozen models, unknown keys refused.

A section may hold `by_dataset` with overrides for single data sets; these models
describe a section as it is for one data set, the overrides merged in.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Triple = tuple[float, float, float]
Scale = tuple[Rate, Rate, Rate]
Defense = Literal["none", "sv", "sr", "sv_sr", "abd"]


class Section(BaseModel):
    """Common settings of all models: immutable, no unknown key, no inf and no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Numerics(Section):
    """How numbers are computed; nothing is switched on because a machine has it."""

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")]
    threads: Count
    deterministic: bool


class Grid(Section):
    """A product of lists: every trigger with every source, defense and seed."""

    dataset: str
    triggers: Annotated[list[str], Field(min_length=1)]
    teacher: str
    student: str
    sources: Annotated[list[str], Field(min_length=1)]
    defenses: Annotated[list[Defense], Field(min_length=1)]
    teacher_seed: Whole
    seeds: Annotated[list[Whole], Field(min_length=1)]


class Experiment(Section):
    """A named union of grids; `title` heads its report."""

    title: str
    grids: Annotated[list[Grid], Field(min_length=1)]


class Fetch(Section):
    """What a data set must be: square images, classes, normalisation in [0, 1] units."""

    size: Annotated[int, Field(ge=16, le=224)]
    n_classes: Annotated[int, Field(ge=2)]
    n_train: Count
    mean: Triple
    std: Scale


class Patches(Section):
    """Patches of single photographs."""

    photos: Annotated[list[str], Field(min_length=1)]
    n: Count
    seed: Whole


class Poison(Section):
    """The poisoned part of the training set."""

    rate: Annotated[float, Field(gt=0, lt=1)]
    holdout: Fraction
    target: Whole


class Teacher(Section):
    """Supervised training of the teacher."""

    optimizer: Literal["sgd", "adam"]
    lr: Rate
    momentum: Fraction
    weight_decay: NonNegative
    batch: Annotated[int, Field(ge=2)]
    epochs: Count
    crop_pad: Whole
    hflip: bool
    select: Literal["best", "last"]
    min_asr: Annotated[float, Field(ge=0, le=1)]


class Warm(Section):
    """Rounds of plain distillation before the search, by source."""

    ood: Count
    clean: Count


class Skip(Section):
    """Rounds that are not cached, by source."""

    ood: Whole
    clean: Whole


class Surrogate(Section):
    """The first rounds of plain distillation, cached for the search."""

    warm: Warm
    skip: Skip


class Vaccine(Section):
    """The search for shuffles whose score has a heavy lower tail."""

    members: Count
    n_conv: Count
    trials: Count
    threshold: Fraction
    n_sigmas: Rate
    direction: Literal["teacher", "shuffled"]


class Ood(Section):
    """Distillation from patches."""

    batch: Annotated[int, Field(ge=2)]
    epochs: Count
    lr: Rate
    schedule: Literal["steps", "cosine"]
    milestones: list[Count]
    gamma: Rate
    tau: Rate
    cutmix_beta: Rate


class Clean(Section):
    """Distillation from clean training images."""

    batch: Annotated[int, Field(ge=2)]
    epochs: Count
    lr: Rate
    momentum: Fraction
    weight_decay: NonNegative
    alpha: Annotated[float, Field(ge=0, le=1)]
    tau: Rate
    fraction: Share
    subset_seed: Whole


class Distill(Section):
    """Distillation: the vaccine's weight, the log intervals, and every source."""

    suspicious_weight: Annotated[float, Field(ge=0, le=1)]
    log_every: Count
    eval_every: Count
    ood: Ood
    clean: Clean


class RetrospectSource(Section):
    """Self-retrospection as it is for one source."""

    last: Count
    lr: Rate
    portion: Share
    weight: Rate
    tau: Rate


class Retrospect(Section):
    """Self-retrospection: the constants of its problems, and every source's length."""

    force: bool
    perturb: Literal["student", "teacher"]
    rounds: Count
    inner_lr: Rate
    init_sigma: Rate
    l2: NonNegative
    l2_in_synthesis: bool
    n_terms: Count
    tol: NonNegative
    map_step: Rate
    reduction: Literal["mean", "batch"]
    detach: bool
    bn: Literal["reference", "outer", "clean"]
    ood: RetrospectSource
    clean: RetrospectSource


class Settings(Section):
    """Every section as it is for one data set."""

    fetch: Fetch
    patches: Patches
    poison: Poison
    teacher: Teacher
    surrogate: Surrogate
    vaccine: Vaccine
    distill: Distill
    retrospect: Retrospect


class Top(Section):
    """The keys of params.yaml that are not sections of stages."""

    run: Annotated[list[str], Field(min_length=1)]
    budget: Annotated[float, Field(gt=0, le=1)]
    numerics: Numerics
    experiments: dict[str, Experiment]
