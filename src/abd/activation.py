"""Whether self-retrospection follows the vaccine, and from where (method section 6.6).

The student of `abd` ends in one of three ways: "sv", as distilled under the vaccine;
"sv_sr", that distillation retrospected; "sr", plain distillation retrospected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["sv", "sv_sr", "sr"]


@dataclass(frozen=True)
class Drop:
    """Correct answers of `n`, of the plain student and of the one under the vaccine."""

    n_plain: int
    n_vaccinated: int
    n: int

    @property
    def value(self) -> float:
        """The clean accuracy lost, a fraction; negative where the vaccine gains some."""
        return (self.n_plain - self.n_vaccinated) / self.n


def data_free(*, found: bool, force: bool) -> Outcome:
    """Decide from the search alone: self-retrospection where no vaccine was found.

    `force` asks for it even so.
    """
    if not found:
        return "sr"
    return "sv_sr" if force else "sv"


def by_drop(
    drop: float, *, sr_below: float, sv_restart_drop: float, force: bool
) -> Outcome:
    """Decide from the clean accuracy that the vaccine which was found costs.

    Below `sr_below` there is room for self-retrospection, too; above `sv_restart_drop`
    the vaccine costs too much, and plain distillation is retrospected instead. Between
    the two, and on either, the student stays as it is, unless `force` asks for more.
    """
    if drop > sv_restart_drop:
        return "sr"
    return "sv_sr" if force or drop < sr_below else "sv"
