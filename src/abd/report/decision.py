"""What decided which student `abd` ended with, as its stage wrote it down."""

from __future__ import annotations

from dataclasses import dataclass

ENDS = {"sv": "kept", "sv_sr": "SR too", "sr": "restarted without it"}


@dataclass(frozen=True)
class Decision:
    """The rule, its outcome, and the clean accuracies it compared; None: not measured."""

    rule: str
    found: bool
    outcome: str
    drop: float | None
    acc_plain: float | None
    acc_vaccinated: float | None
    n_labelled: int | None

    @property
    def text(self) -> str:
        """What became of a vaccine that was found, in a few words; "" where that is all."""
        if not self.found or (self.drop is None and self.outcome == "sv"):
            return ""
        end = ENDS[self.outcome]
        if self.drop is None:
            return end
        return f"costs {round(100 * self.drop, 1) + 0.0:.1f} points of Acc: {end}"
