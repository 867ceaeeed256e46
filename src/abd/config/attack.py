"""The attacker's sections of params.yaml: harden, poison, teacher."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from abd.config.fields import (
    BatchSize,
    Count,
    Float,
    Fraction,
    NonNegative,
    Probability,
    Rate,
    Section,
    Seed,
    Whole,
)


class Supervised(Section):
    """What every supervised training needs."""

    optimizer: Literal["sgd", "adam"]
    lr: Rate
    momentum: Fraction
    weight_decay: NonNegative
    batch: BatchSize
    epochs: Count
    crop_pad: Whole
    hflip: bool


class Pgd(Section):
    """An attack on a network's input, in grey levels; see `abd.adversarial.Attack`."""

    eps: Annotated[Float, Field(gt=0, le=255)]
    step: Rate
    steps: Count


class Harden(Supervised):
    """Hard images: the robust network `net`, what trains it, and the attack on it."""

    net: str
    seed: Seed
    training: Pgd
    attack: Pgd


def _as_pattern(files: object) -> object:
    """A path alone is the pattern's."""
    return {"pattern": files} if isinstance(files, str) else files


AssetFiles = Annotated[dict[str, str], BeforeValidator(_as_pattern)]


class Poison(Section):
    """The poisoned part of the training set.

    variants: which of its patterns a trigger has. assets: files in place of its own
    pattern, by what they are (`pattern`, `mask`); a path alone is the pattern's.
    """

    rate: Annotated[Float, Field(gt=0, lt=1)]
    holdout: Fraction
    target: Whole
    variants: dict[str, str] = Field(default_factory=dict)
    assets: dict[str, AssetFiles] = Field(default_factory=dict)


class Teacher(Supervised):
    """Supervised training of the teacher.

    weights: the file of one that was trained elsewhere, by whom nobody knows; then there is
    nothing to train, and no data (`abd.config.given`).
    """

    select: Literal["best", "last"]
    min_asr: Probability
    weights: str | None = None
