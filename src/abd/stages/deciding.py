"""Decides which student `abd` ends with, and says by what (method section 6.6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from abd.activation import Drop, Outcome, by_drop, data_free
from abd.registry import load_object
from abd.stages.job import Job, say
from abd.storage.files import read_json

ENDS = {
    "sv": "the student distilled under the vaccine is taken as it is",
    "sv_sr": "self-retrospection goes on from the distillation under the vaccine",
    "sr": "self-retrospection goes on from the plain distillation",
}


@dataclass(frozen=True)
class Decision:
    """How `abd` ends, and by what that was decided; `drop` where it was measured."""

    rule: str
    found: bool
    outcome: Outcome
    drop: Drop | None = None

    @property
    def restarted(self) -> bool:
        """Whether a vaccine was found, and given up again for what it costs."""
        return self.found and self.outcome == "sr"

    def record(self) -> dict[str, object]:
        """What `decision.json` says of it; None is what was not measured."""
        drop = self.drop
        return {
            "rule": self.rule,
            "found": self.found,
            "outcome": self.outcome,
            "drop": drop and drop.value,
            "acc_plain": drop and drop.n_plain / drop.n,
            "acc_vaccinated": drop and drop.n_vaccinated / drop.n,
            "n_labelled": drop and drop.n,
        }


def decide(job: Job, device: torch.device) -> Decision:
    """Decide by the job's rule, and say so in its log.

    Students are compared where the rule asks for it and a vaccine was found; nothing else
    looks at the labelled images.
    """
    limits, force = job.config.get("paper"), job.config["force"]
    found = read_json(job.inputs["vaccine"])["found"]
    drop = None
    if limits and found:
        # By name: a job that looks at no labels must not have this in its digest.
        drop = load_object("abd.stages.measuring:measure")(job, device)
        say(f"the vaccine costs {100 * drop.value:.1f} points of clean accuracy")
        outcome = by_drop(
            drop.value,
            sr_below=limits["sr_below"],
            sv_restart_drop=limits["sv_restart_drop"],
            force=force,
        )
    else:
        outcome = data_free(found=found, force=force)
    say(f"{'a' if found else 'no'} vaccine was found: {ENDS[outcome]}")
    return Decision("paper" if limits else "data_free", found, outcome, drop)
