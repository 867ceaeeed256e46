"""The budget: every length of a run, scaled together."""

from __future__ import annotations

from abd.config.schema import Settings
from abd.config.sources import SOURCES, settings_class
from abd.config.sources.base import shortened


def scale(settings: Settings, budget: float) -> Settings:
    """Return `settings` with epochs, schedules, log intervals and SR length scaled.

    Nothing falls below 1, cycles not below 20. Cache size and search stay as they are.
    """
    if budget == 1:
        return settings
    distill, sr = settings.distill, settings.retrospect
    names = SOURCES.names()
    distilled = {name: distill.of(name) for name in names if getattr(distill, name)}
    retrospected = {name: sr.of(name) for name in names if getattr(sr, name)}
    return settings.model_copy(
        update={
            **{
                name: trained.model_copy(
                    update={"epochs": shortened(trained.epochs, budget)}
                )
                for name, trained in (
                    ("harden", settings.harden),
                    ("teacher", settings.teacher),
                )
            },
            "distill": distill.model_copy(
                update={name: own.scaled(budget) for name, own in distilled.items()}
            ),
            "retrospect": sr.model_copy(
                update={
                    name: own.model_copy(update={"last": _last(name, own.last, budget)})
                    for name, own in retrospected.items()
                }
            ),
        }
    )


def _last(source: str, last: int, budget: float) -> int:
    return shortened(last, budget, settings_class(source).least)
