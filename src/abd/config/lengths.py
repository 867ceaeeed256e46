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


def pool_size(settings: Settings, source: str) -> int:
    """Number of images in the pool that a source draws from; 0 if it makes its own."""
    pool = settings.distill.of(source).pool
    if pool == "patches":
        n_photos = len(settings.patches.photos)
        return settings.patches.n // n_photos * n_photos
    return settings.fetch.n_train if pool == "dataset" else 0


def lengths(settings: Settings, source: str) -> Lengths:
    """Derive the positions of a distillation from `source` from the params alone."""
    own = settings.distill.of(source)
    per_epoch = own.rounds_per_epoch(pool_size(settings, source))
    total = own.epochs_in_all() * per_epoch
    return Lengths(
        rounds_per_epoch=per_epoch,
        skip=settings.surrogate.skip[source],
        warm=settings.surrogate.warm[source],
        lambda_=total - settings.retrospect.of(source).last * per_epoch,
        total=total,
    )
