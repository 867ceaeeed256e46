"""What a report is made of: every cell with its measurements, read from the results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from abd.config import Plan
from abd.config.cells import Cell
from abd.config.paths import (
    decision_path,
    history_paths,
    metrics_path,
    poison_path,
    score_path,
    teacher_metrics_path,
    vaccine_path,
    verdict_path,
)
from abd.errors import AbdError
from abd.report.curves import curve_of
from abd.report.decision import Decision
from abd.report.paper import Reference
from abd.report.read import NotMadeError, read_result
from abd.storage.files import read_json


@dataclass(frozen=True)
class Vaccine:
    """The verdict of a vaccine search, the trials' ratios, and what the score is worth.

    auc: how well it tells stamped from clean test images, which no search may see.
    """

    found: bool
    trial: int | None
    threshold: float
    ratios: tuple[float, ...]
    auc: float

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
class Figures:
    """What was measured of one network: fractions, and the counts of the ASR."""

    acc: float
    asr: float
    n_target: int
    n_stamped: int


@dataclass(frozen=True)
class Measured:
    """A cell with what was measured of its student and its teacher."""

    cell: Cell
    student: Figures
    teacher: Figures
    vaccine: Vaccine | None
    decision: Decision | None = None

    @cached_property
    def curve(self) -> list[dict[str, float]]:
        """The student's curve, read when it is first wanted; AbdError where damaged."""
        return curve_of(self.cell)

    def record(self, experiment: str, reference: Reference | None) -> dict[str, Any]:
        """The cell's record in `reports/summary.json`, beside what the paper prints."""
        vaccine = None
        if self.vaccine is not None:
            vaccine = {**asdict(self.vaccine), "ratios": list(self.vaccine.ratios)}
        printed = reference and reference.printed
        return {
            "experiment": experiment,
            **asdict(self.cell),
            **asdict(self.student),
            "teacher_acc": self.teacher.acc,
            "teacher_asr": self.teacher.asr,
            "vaccine": vaccine,
            "decision": asdict(self.decision) if self.decision else None,
            "paper_item": printed.item if printed else None,
            "paper_acc": printed.acc if printed else None,
            "paper_asr": printed.asr if printed else None,
            "paper_also": [
                {"item": other.item, "acc": other.acc, "asr": other.asr}
                for other in (reference.also if reference else ())
            ],
        }


@dataclass(frozen=True)
class Results:
    """An experiment as far as it has run: what was measured, and the cells that lack."""

    experiment: str
    cells: list[Measured]
    missing: list[Cell]

    def whole(self) -> list[Measured]:
        """What was measured; NotMadeError where a cell lacks."""
        if self.missing:
            raise _not_made(self.experiment, self.missing[0])
        return self.cells


def results_of(plan: Plan, experiment: str) -> Results:
    """Read the measurements of an experiment's cells, as far as there are any.

    Raises NotMadeError where no cell has run, AbdError where there is no such experiment
    or a result is damaged.
    """
    wanted = plan.wanted(experiment)
    if wanted[0].given:
        raise AbdError(
            f"{experiment}: expected an experiment with triggers, got a teacher from a "
            f"file: its verdict is {verdict_path(wanted[0])}"
        )
    missing = [cell for cell in wanted if _lost(cell) is not None]
    if len(missing) == len(wanted):
        raise _not_made(experiment, wanted[0])
    cells = [cell for cell in wanted if cell not in missing]
    return Results(experiment, measured(cells), missing)


def measured(cells: Iterable[Cell]) -> list[Measured]:
    """Read the measurements of cells."""
    return [_measured(cell) for cell in cells]


def _lost(cell: Cell) -> Path | None:
    """The first of the files that a report shows of a cell which is not there."""
    paths: list[str | Path] = [metrics_path(cell), teacher_metrics_path(cell)]
    paths += history_paths(cell)
    paths += [
        poison_path(cell.dataset, cell.trigger, file)
        for file in ("manifest.json", "preview.png")
    ]
    if cell.defense == "abd":
        vaccine, score = Path(vaccine_path(cell)), Path(score_path(cell))
        paths += [vaccine, vaccine.with_name("scores.npz"), decision_path(cell)]
        paths += [score, score.with_name("roc.npz"), score.with_name("scores.npz")]
    return next((path for path in map(Path, paths) if not path.is_file()), None)


def _not_made(experiment: str, cell: Cell) -> NotMadeError:
    path = _lost(cell)
    assert path is not None
    return NotMadeError(path, f"the results of {experiment}", target=experiment)


def _measured(cell: Cell) -> Measured:
    student = read_result(Path(metrics_path(cell)), _figures)
    teacher = read_result(Path(teacher_metrics_path(cell)), _figures)
    vaccine = decision = None
    if cell.defense == "abd":
        auc = read_result(Path(score_path(cell)), _auc)
        vaccine = read_result(Path(vaccine_path(cell)), partial(_vaccine, auc=auc))
        decision = read_result(Path(decision_path(cell)), _decision)
    return Measured(cell, student, teacher, vaccine, decision)


def _decision(path: Path) -> Decision:
    return Decision(**read_json(path))


def _figures(path: Path) -> Figures:
    metrics = read_json(path)
    return Figures(
        acc=float(metrics["acc"]),
        asr=float(metrics["asr"]),
        n_target=int(metrics["n_target"]),
        n_stamped=int(metrics["n_stamped"]),
    )


def _auc(path: Path) -> float:
    return float(read_json(path)["auc"])


def _vaccine(path: Path, auc: float) -> Vaccine:
    found = read_json(path)
    return Vaccine(
        found=found["found"],
        trial=found["trial"],
        threshold=found["threshold"],
        ratios=tuple(trial["ratio"] for trial in found["trials"]),
        auc=auc,
    )
