"""How much main memory a job asks a cluster for."""

from __future__ import annotations

from collections.abc import Mapping

from abd.config.lengths import lengths, pool_size
from abd.config.schema import Settings

MB = 2**20
# Of networks, batches and libraries, rounded up from what was measured at 32 pixels; larger
# images' activations come on top, in the memory of the device that computes.
BASE = {
    "fetch": 3000,
    "patches": 2000,
    "harden": 4000,
    "poison": 3000,
    "teacher": 4000,
    "admit": 2000,
    "surrogate": 4000,
    "vaccine": 4000,
    "distill": 4000,
    "retrospect": 4000,
    "verdict": 4000,
    "score": 3000,
    "evaluate": 3000,
}
WITH_CACHE = ("surrogate", "vaccine", "verdict")
COPIES = 3  # of the data set or the cache: as read, as worked on, as written


def memory_mb(stage: str, settings: Settings, wildcards: Mapping[str, str]) -> int:
    """Main memory of a job in MB: a base, and what its data set and its cache take."""
    image = 3 * settings.fetch.size**2
    images = settings.patches.n if stage == "patches" else settings.fetch.n_train
    if "source" in wildcards:
        source = wildcards["source"]
        own, long = settings.distill.of(source), lengths(settings, source)
        images = max(images, pool_size(settings, source), own.made())
        if stage in WITH_CACHE:
            # A pool's images are cached as they are, a generator's as float32.
            value = 1 if own.pool else 4
            images += (long.warm - long.skip) * own.cached() * value
    return BASE[stage] + COPIES * images * image // MB
