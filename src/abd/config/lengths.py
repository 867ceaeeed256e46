"""How long a distillation is: rounds in all, the warm prefix, and lambda."""

from __future__ import annotations

from dataclasses import dataclass

from abd.config.schema import Settings


@dataclass(frozen=True)
class Lengths:
    """Positions of one distillation, in rounds: 0 < warm < lambda_ < total."""

    rounds_per_epoch: int
    skip: int
    warm: int
    lambda_: int
    total: int


def lengths(settings: Settings, source: str) -> Lengths:
    """Derive the positions of a distillation from `source` from the params alone."""
    if source == "ood":
        n_photos = len(settings.patches.photos)
        n_images = settings.patches.n // n_photos * n_photos
        per_epoch = n_images // settings.distill.ood.batch
    else:
        clean = settings.distill.clean
        n_images = max(1, int(clean.fraction * settings.fetch.n_train))
        per_epoch = -(-n_images // clean.batch)
    total = getattr(settings.distill, source).epochs * per_epoch
    last = getattr(settings.retrospect, source).last * per_epoch
    return Lengths(
        rounds_per_epoch=per_epoch,
        skip=getattr(settings.surrogate.skip, source),
        warm=getattr(settings.surrogate.warm, source),
        lambda_=total - last,
        total=total,
    )
