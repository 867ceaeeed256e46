"""The section `retrospect` of params.yaml: self-retrospection, shared and by source."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, create_model

from abd.config.fields import Count, Float, NonNegative, Rate, Section, Share

# Of two accuracies: a limit of -1 or 1 is one that no drop goes below or above.
Difference = Annotated[Float, Field(ge=-1, le=1)]


class Constants(Section):
    """The constants of the inner and the outer problem, for every source.

    See `abd.retrospection.RetrospectionSettings`.
    """

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


class RetrospectSource(Section):
    """Self-retrospection as it is for one source; tau None is the source's own.

    The model in use has every constant besides (`source_model`).
    """

    last: Count
    lr: Rate
    portion: Share
    weight: Rate
    tau: Rate | None = None


@cache
def source_model() -> type[RetrospectSource]:
    """Return the model of `retrospect.<source>`; None for a constant is the shared one."""
    hints = get_type_hints(Constants, include_extras=True)
    own: dict[str, Any] = {
        name: (hints[name] | None, None) for name in Constants.model_fields
    }
    return create_model("RetrospectSource", __base__=RetrospectSource, **own)


class Retrospect(Constants):
    """Self-retrospection: when it runs, and the constants of its problems.

    rule: what decides for `abd`; see `abd.activation`. labelled: the images that rule
    paper compares students on; sr_below, sv_restart_drop: its limits, drops of accuracy.
    The model in use has a key more for every source (`abd.config.schema.section_model`).
    """

    rule: Literal["data_free", "paper"]
    labelled: str | None
    sr_below: Difference
    sv_restart_drop: Difference
    force: bool
    sv: bool

    def of(self, source: str) -> RetrospectSource:
        """The settings for a source; they must be there."""
        settings = getattr(self, source)
        assert isinstance(settings, RetrospectSource), f"retrospect.{source} is missing"
        return settings

    def constants(self, source: str) -> dict[str, Any]:
        """The constants as they are for a source: its own before the shared ones."""
        names = set(Constants.model_fields)
        own = self.of(source).model_dump(include=names, exclude_none=True)
        return {**self.model_dump(include=names), **own}
