"""What a report is made of: every cell with its measurements, read from the results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from abd.config import Plan
from abd.config.cells import Cell
from abd.config.paths import metrics_path, teacher_metrics_path
from abd.report.read import NotMadeError, read_result
from abd.storage.files import read_json


@dataclass(frozen=True)
class Vaccine:
    """The verdict of a vaccine search: whether one was found, and the trials' ratios."""

    found: bool
    trial: int | None
    threshold: float
    ratios: tuple[float, ...]

    @property
    def text(self) -> str:
        """The verdict in a few words."""
        if self.found:
            assert self.trial is not None
            ratio = self.ratios[self.trial]
            return f"found in draw {self.trial + 1} (tail {100 * ratio:.1f} %)"
        return (
            f"none in {len(self.ratios)} draws (best tail {100 * max(self.ratios):.1f} %)"
        )


@dataclass(frozen=True)
class Measured:
    """A cell with what was measured: fractions acc and asr, of student and teacher."""

    cell: Cell
    acc: float
    asr: float
    teacher_acc: float
    teacher_asr: float
    vaccine: Vaccine | None

    def record(self, experiment: str) -> dict[str, Any]:
        """The cell's record in `reports/summary.json`."""
        vaccine = None
        if self.vaccine is not None:
            vaccine = {**asdict(self.vaccine), "ratios": list(self.vaccine.ratios)}
        return {
            "experiment": experiment,
            **asdict(self.cell),
            "acc": self.acc,
            "asr": self.asr,
            "teacher_acc": self.teacher_acc,
            "teacher_asr": self.teacher_asr,
            "vaccine": vaccine,
        }


def results_of(plan: Plan, experiment: str) -> list[Measured]:
    """Read the measurements of an experiment's cells.

    Raises NotMadeError where it has not run, AbdError where there is no such experiment
    or a result is damaged.
    """
    cells = plan.wanted(experiment)
    try:
        return measured(cells)
    except NotMadeError as error:
        raise NotMadeError(
            error.path, f"the results of {experiment}", target=experiment
        ) from None


def measured(cells: Iterable[Cell]) -> list[Measured]:
    """Read the measurements of cells."""
    return [_measured(cell) for cell in cells]


def vaccine_path(cell: Cell) -> Path:
    """The verdict of the search that a cell's defense may use."""
    return Path(f"results/vaccine/{cell.student_key}/vaccine.json")


def _measured(cell: Cell) -> Measured:
    acc, asr = read_result(Path(metrics_path(cell)), _metrics)
    teacher_acc, teacher_asr = read_result(Path(teacher_metrics_path(cell)), _metrics)
    vaccine = None
    if cell.defense == "abd":
        vaccine = read_result(vaccine_path(cell), _vaccine)
    return Measured(cell, acc, asr, teacher_acc, teacher_asr, vaccine)


def _metrics(path: Path) -> tuple[float, float]:
    metrics = read_json(path)
    return float(metrics["acc"]), float(metrics["asr"])


def _vaccine(path: Path) -> Vaccine:
    found = read_json(path)
    return Vaccine(
        found=found["found"],
        trial=found["trial"],
        threshold=found["threshold"],
        ratios=tuple(trial["ratio"] for trial in found["trials"]),
    )
