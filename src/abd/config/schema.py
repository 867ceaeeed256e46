"""The schema of params.yaml, section by section: frozen models, unknown keys refused.

A section may hold `by_dataset` with overrides for single data sets; these models
describe a section as it is for one data set, the overrides merged in. What a source
needs of its own, its settings class says (`abd.config.sources`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from abd.config.attack import Harden, Poison, Teacher
from abd.config.fields import (
    LARGEST,
    Count,
    Float,
    Fraction,
    Int,
    NonNegative,
    Probability,
    Rate,
    Section,
    Seed,
    Share,
    Whole,
)
from abd.config.retrospect import Retrospect, source_model
from abd.config.sources import SOURCES, SourceSettings, settings_class

Triple = tuple[Probability, Probability, Probability]
Scale = tuple[Share, Share, Share]


def _registered(name: str) -> str:
    if name not in SOURCES.names():
        raise ValueError(f"one of {', '.join(SOURCES.names())}")
    return name


SourceName = Annotated[str, AfterValidator(_registered)]


class Fetch(Section):
    """Where a data set lies, and what it must be: square images, classes, normalisation.

    root, download: torchvision's data sets. path: a user's own data, of which size,
    n_classes and n_train may be left out (`abd.config.found`); resize: whether images in
    class folders may have another size than `size`. mean, std: in [0, 1] units, per
    channel; None is as found in the training set. n_train: 0 where there is no data, to a
    teacher that comes from a file. stands_for: the paper's data set whose
    figures are shown beside those of this one, if it is another.
    """

    root: str
    download: bool
    path: str | None = None
    resize: bool = False
    size: Annotated[Int, Field(ge=16, le=224)]
    n_classes: Annotated[Int, Field(ge=2, le=LARGEST)]
    n_train: Whole
    mean: Triple | None = None
    std: Scale | None = None
    stands_for: str | None = None


class Recipe(Section):
    """How a patch is cut; see `abd.patches.Recipe`."""

    square: Share
    min_area: Share
    aspect: Annotated[Float, Field(ge=1, le=LARGEST)]
    angle: Annotated[Float, Field(ge=0, lt=90)]
    jitter: Fraction
    jitter_hue: Annotated[Float, Field(ge=0, le=0.5)]
    jitter_p: Probability
    jpeg_quality: Annotated[Int, Field(ge=1, le=100)]


class Patches(Section):
    """Patches of single photographs."""

    photos: Annotated[list[str], Field(min_length=1)]
    n: Count
    seed: Seed
    recipe: Recipe


class Surrogate(Section):
    """The first rounds of plain distillation, cached for the search, by source.

    warm: rounds before the search. skip: rounds at the start that are not cached.
    """

    warm: dict[SourceName, Count]
    skip: dict[SourceName, Whole]


def _n_conv(value: object) -> object:
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        value = int(value)  # from the command line
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if value == "last_stage" or (is_number and 0 < value <= LARGEST):  # type: ignore[operator]
        return value
    raise ValueError("a number of convolutions, at least 1, or last_stage")


NConv = Annotated[int | str, BeforeValidator(_n_conv)]


class Vaccine(Section):
    """The search for shuffles whose score has a heavy lower tail."""

    members: Count
    n_conv: NConv
    trials: Count
    threshold: Fraction
    n_sigmas: Rate
    direction: Literal["teacher", "shuffled"]


class Guard(Section):
    """How the vaccine enters the losses; see `abd.sources.base.Guard`."""

    alpha: NonNegative
    detach: bool
    average: Literal["agreeing", "batch"]
    suspicious_weight: Probability
    form: Literal["weight", "ascent"]


class Distill(Section):
    """Distillation: how the vaccine enters it.

    The model in use has a key more for every source (`section_model`).
    """

    guard: Guard

    def of(self, source: str) -> SourceSettings:
        """The settings of a source; they must be there."""
        settings = getattr(self, source)
        assert isinstance(settings, SourceSettings), f"distill.{source} is missing"
        return settings


class Verdict(Section):
    """What is looked at in a given teacher, and in its students.

    n_images: how many of the cached surrogate images. n_shown: of those that the vaccine's
    score calls suspicious, how many are shown. draws: of the vaccine's, how many shuffles;
    the rest as `abd.survival.SearchSettings`.
    """

    n_images: Annotated[Int, Field(ge=2)]
    n_shown: Count
    draws: Count
    radius: Rate
    steps: Count
    lr: Rate
    batch: Count
    init_sigma: Rate


class Settings(Section):
    """Every section as it is for one data set."""

    fetch: Fetch
    patches: Patches
    harden: Harden
    poison: Poison
    teacher: Teacher
    surrogate: Surrogate
    vaccine: Vaccine
    distill: Distill
    retrospect: Retrospect
    verdict: Verdict


SECTIONS = tuple(Settings.model_fields)


@cache
def section_model(name: str) -> type[Section]:
    """Return the model of a section, with a key for every registered source.

    A source's part may be left out: whether it is needed, the cells decide.
    """
    model: type[Section] = Settings.model_fields[name].annotation  # type: ignore[assignment]
    if name == "distill":
        own: dict[str, Any] = {s: (settings_class(s) | None, None) for s in SOURCES.names()}
    elif name == "retrospect":
        own = dict.fromkeys(SOURCES.names(), (source_model() | None, None))
    else:
        return model
    return create_model(model.__name__, __base__=model, **own)
