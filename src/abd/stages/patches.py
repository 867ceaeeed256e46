"""Stage patches: cut patches from single photographs, once for all students."""

from __future__ import annotations

import numpy as np

from abd.data.photos import load_photo
from abd.errors import AbdError
from abd.patches import Recipe, make_patches
from abd.seeding import numpy_stream
from abd.stages.job import Job
from abd.storage.arrays import write_arrays


def run(job: Job) -> None:
    """Cut the same number of patches from each photo, each with its own stream."""
    settings, size = job.config["patches"], job.config["size"]
    photos, recipe = settings["photos"], Recipe(**settings["recipe"])
    n = settings["n"] // len(photos)
    parts = []
    for photo in photos:
        stream = numpy_stream(settings["seed"], "patches", photo)
        try:
            parts.append(make_patches(load_photo(photo), n, size, recipe, stream))
        except ValueError as error:
            raise AbdError(f"patches.photos: {photo}: {error}") from None
    write_arrays(job.outputs["patches"], patches=np.concatenate(parts))
