"""Stage patches: cut patches from single photographs, once for all students."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from abd.data.photos import load_photo
from abd.errors import AbdError
from abd.patches import Recipe, make_patches
from abd.seeding import numpy_stream
from abd.stages.job import Job
from abd.storage.arrays import write_arrays


def run(job: Job) -> None:
    """Write the patches that all students of a data set share."""
    patches = cut(job.config["patches"], job.config["size"])
    write_arrays(job.outputs["patches"], patches=patches)


def cut(settings: Mapping[str, Any], size: int) -> np.ndarray:
    """Cut the same number of patches from each photo, each with its own stream.

    settings: section `patches`. Returns uint8 (N, size, size, 3).
    """
    photos, recipe = settings["photos"], Recipe(**settings["recipe"])
    n = settings["n"] // len(photos)
    parts = []
    for photo in photos:
        stream = numpy_stream(settings["seed"], "patches", photo)
        try:
            parts.append(make_patches(load_photo(photo), n, size, recipe, stream))
        except ValueError as error:
            raise AbdError(f"patches.photos: {photo}: {error}") from None
    return np.concatenate(parts)
