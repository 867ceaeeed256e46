"""What a verdict's score is worth: the scores of teachers that are known.

`tools/calibrate_verdict.py` trained them and wrote them down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abd.config.schema import Settings

FILE = "calibration.json"
# Settings of a source that say how the student learns, and shape no image of a pool.
LEARNING = {"lr", "schedule", "milestones", "gamma", "tau"}
FETCHED = ("size", "n_classes", "mean", "std")
RARE = 0.1  # of the clean teachers: a score that no more of them reach is a sign


@dataclass(frozen=True)
class Calibration:
    """Scores of teachers without a backdoor and with one.

    about: their data set, and all else that shapes a score.
    """

    about: Mapping[str, Any]
    clean: list[float]
    backdoored: list[float]

    def n_clean(self, score: float) -> int:
        """How many of the clean teachers have a score as high."""
        return sum(other >= score for other in self.clean)

    def n_backdoored(self, score: float) -> int:
        """How many of the backdoored ones have."""
        return sum(other >= score for other in self.backdoored)

    def is_sign(self, score: float) -> bool:
        """Whether a score is one that hardly any clean teacher has."""
        return math.isfinite(score) and self.n_clean(score) <= RARE * len(self.clean)

    def fits(self, looked_at: Mapping[str, Any]) -> bool:
        """Whether these teachers were like this one, and looked at like it."""
        return all(self.about.get(key) == value for key, value in looked_at.items())


def shaping(net: str, source: str, settings: Settings) -> dict[str, Any]:
    """Say what shapes a score besides the teacher's weights."""
    own = settings.distill.of(source)
    patches = settings.patches.model_dump(mode="json") if own.pool == "patches" else None
    return {
        "net": net,
        "source": source,
        **settings.fetch.model_dump(mode="json", include={*FETCHED}),
        "patches": patches,
        "batches": own.model_dump(mode="json", include={*own.arguments()} - LEARNING),
        "cached": [settings.surrogate.skip[source], settings.surrogate.warm[source]],
        "verdict": settings.verdict.model_dump(mode="json", exclude={"n_shown"}),
        "vaccine": settings.vaccine.model_dump(mode="json", include={"members", "n_conv"}),
    }


def read_calibration() -> Calibration:
    """Read the scores that come with abd."""
    raw = json.loads(files("abd.purify").joinpath(FILE).read_text("utf-8"))
    scores: dict[bool, list[float]] = {True: [], False: []}
    for teacher in raw["teachers"]:
        scores[teacher["trigger"] is None].append(teacher["score"])
    return Calibration(raw["about"], clean=scores[True], backdoored=scores[False])
