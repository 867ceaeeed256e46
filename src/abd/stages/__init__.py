"""The stages: one thin command each. Parse, load, call, save.

`STAGES` names every stage's inputs and outputs; the command line and the rules use the
same names. A file whose name ends in "?" may be left out or stay empty, one that ends in
"*" be several. An option shapes no number: it is kept out of the job's slice, so that an
edit of it re-runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STAGES", "Stage"]


@dataclass(frozen=True)
class Stage:
    """What a stage takes and gives, by name, and one line of what it does."""

    help: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: tuple[str, ...] = ()

    def required(self) -> set[str]:
        """Names that must be given: those that are not marked."""
        return {name for name in (*self.inputs, *self.outputs) if name[-1] not in "?*"}

    def input_names(self) -> list[str]:
        """Input names without their mark."""
        return [name.rstrip("?*") for name in self.inputs]

    def output_names(self) -> list[str]:
        """Output names without their mark."""
        return [name.rstrip("?") for name in self.outputs]


STAGES = {
    "fetch": Stage(
        help="read a data set into one file, whatever its source",
        inputs=("data?",),
        outputs=("dataset", "statistics"),
        options=("root", "download"),
    ),
    "patches": Stage(
        help="cut patches from single photographs",
        inputs=("photos*",),
        outputs=("patches",),
    ),
    "harden": Stage(
        help="make hard images of the target class: a robust network, and an attack on it",
        inputs=("dataset", "statistics?"),
        outputs=("hard", "manifest", "preview", "history"),
    ),
    "poison": Stage(
        help="stamp and relabel the attacker's share of the training set",
        inputs=("dataset", "hard?", "assets*"),
        outputs=("poisoned", "test", "manifest", "preview"),
    ),
    "teacher": Stage(
        help="train the backdoored teacher",
        inputs=("dataset", "poisoned", "test", "statistics?"),
        outputs=("weights", "history"),
    ),
    "admit": Stage(
        help="take in a teacher that was trained elsewhere, running nothing of its file",
        inputs=("file",),
        outputs=("weights",),
    ),
    "surrogate": Stage(
        help="run the first batches of plain distillation and cache them",
        inputs=("teacher", "pool?", "statistics?"),
        outputs=("cache", "warm", "history"),
    ),
    "vaccine": Stage(
        help="search shuffles of the teacher that expose its backdoor",
        inputs=("teacher", "cache", "statistics?"),
        outputs=("vaccine", "permutations", "scores"),
    ),
    "distill": Stage(
        help="distil the student: plain, with the first vaccine or with the searched one",
        inputs=(
            "teacher",
            "pool?",
            "statistics?",
            "warm?",
            "vaccine?",
            "permutations?",
            "plain_state?",
            "plain_student?",
            "plain_history?",
            "monitor?",
        ),
        outputs=("state", "student", "history"),
    ),
    "retrospect": Stage(
        help="let the student find and unlearn its own backdoor",
        inputs=(
            "teacher",
            "pool?",
            "statistics?",
            "state",
            "final?",
            "vaccine?",
            "permutations?",
            "labelled?",
            "plain_state?",
            "plain_student?",
            "plain_history?",
            "monitor?",
        ),
        outputs=("student", "history", "decision?"),
    ),
    "verdict": Stage(
        help="look for a backdoor in teacher and students, without knowing any trigger",
        inputs=(
            "teacher",
            "plain",
            "student",
            "cache",
            "vaccine",
            "scores",
            "decision",
        ),
        outputs=("verdict", "pictures"),
    ),
    "score": Stage(
        help="measure how well the vaccine's score tells stamped from clean test images",
        inputs=("teacher", "permutations", "vaccine", "test", "statistics?"),
        outputs=("score", "roc", "scores"),
    ),
    "evaluate": Stage(
        help="measure Acc and ASR of a teacher or a student",
        inputs=("model", "test", "statistics?"),
        outputs=("metrics",),
    ),
}
