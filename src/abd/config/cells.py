"""Cells: one student (or teacher) of the study each, and where its results lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from abd.config.study import Experiment

# The trigger of a teacher that comes from a file: there is no data to it, either.
UNKNOWN = "unknown"
# What tells teachers apart, and the parts of every path that name a teacher or a student.
TEACHER_PARTS = ("dataset", "trigger", "teacher", "teacher_seed")
TEACHER_KEY = "{dataset}/{trigger}/{teacher}-t{teacher_seed}"
STUDENT_KEY = f"{TEACHER_KEY}/{{source}}/{{student}}-s{{seed}}"
GUARDS = {
    "none": "plain",
    "sv": "first",
    "sr": "plain",
    "sv_sr": "first",
    "abd": "searched",
}


@dataclass(frozen=True, order=True)
class Cell:
    """One student: its teacher, its surrogate source, its defense and its seed."""

    dataset: str
    trigger: str
    teacher: str
    teacher_seed: int
    source: str
    student: str
    seed: int
    defense: str

    @property
    def given(self) -> bool:
        """Whether the teacher comes from a file, and nothing is known of its data."""
        return self.trigger == UNKNOWN

    @property
    def guard(self) -> str:
        """The distillation that this defense builds on: plain, first or searched."""
        return GUARDS[self.defense]

    @property
    def teacher_key(self) -> str:
        """The teacher's part of every path."""
        return TEACHER_KEY.format_map(vars(self))

    @property
    def student_key(self) -> str:
        """The student's part of every path, without guard or defense."""
        return STUDENT_KEY.format_map(vars(self))


def expand(experiment: Experiment) -> list[Cell]:
    """Return the cells of an experiment in the order of its grids, none twice."""
    cells = [
        Cell(
            dataset=grid.dataset,
            trigger=trigger,
            teacher=grid.teacher,
            teacher_seed=grid.teacher_seed,
            source=source,
            student=grid.student,
            seed=seed,
            defense=defense,
        )
        for grid in experiment.grids
        for trigger, source, seed, defense in product(
            grid.triggers, grid.sources, grid.seeds, grid.defenses
        )
    ]
    return list(dict.fromkeys(cells))
