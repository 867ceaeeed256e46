"""The budget: every length of a run, scaled together."""

from __future__ import annotations

from abd.config.schema import Settings


def scale(settings: Settings, budget: float) -> Settings:
    """Return `settings` with epochs, milestones, log intervals and SR length scaled.

    Nothing falls below 1. Cache size and search stay as they are.
    """
    if budget == 1:
        return settings

    def short(length: int) -> int:
        return max(1, round(length * budget))

    teacher, distill, sr = settings.teacher, settings.distill, settings.retrospect
    ood, clean = distill.ood, distill.clean
    return settings.model_copy(
        update={
            "teacher": teacher.model_copy(update={"epochs": short(teacher.epochs)}),
            "distill": distill.model_copy(
                update={
                    "log_every": short(distill.log_every),
                    "eval_every": short(distill.eval_every),
                    "ood": ood.model_copy(
                        update={
                            "epochs": short(ood.epochs),
                            "milestones": [short(m) for m in ood.milestones],
                        }
                    ),
                    "clean": clean.model_copy(update={"epochs": short(clean.epochs)}),
                }
            ),
            "retrospect": sr.model_copy(
                update={
                    "ood": sr.ood.model_copy(update={"last": short(sr.ood.last)}),
                    "clean": sr.clean.model_copy(update={"last": short(sr.clean.last)}),
                }
            ),
        }
    )
