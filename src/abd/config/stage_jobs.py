"""The jobs of the stages that a cell comes from, and the files that each writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from string import Formatter
from typing import NamedTuple

from abd.config.cells import STUDENT_KEY, TEACHER_KEY, Cell
from abd.config.paths import SR_DEFENSES, labelled_path
from abd.config.schema import Settings
from abd.config.sources import settings_class
from abd.triggers import needs_hard_images

# The rules spell these out; a test compares the two.
FILES = {
    "fetch": ("results/fetch/{dataset}", ["dataset.npz", "statistics.json"]),
    "patches": ("results/patches/{dataset}", ["patches.npz"]),
    "harden": (
        "results/harden/{dataset}",
        ["hard.npz", "manifest.json", "preview.png", "history.jsonl"],
    ),
    "poison": (
        "results/poison/{dataset}/{trigger}",
        ["poisoned.npz", "test.npz", "manifest.json", "preview.png"],
    ),
    "teacher": (f"results/teacher/{TEACHER_KEY}", ["teacher.safetensors", "history.jsonl"]),
    "admit": (f"results/teacher/{TEACHER_KEY}", ["teacher.safetensors"]),
    "evaluate_teacher": (f"results/evaluate/{TEACHER_KEY}/teacher", ["metrics.json"]),
    "surrogate": (
        f"results/surrogate/{STUDENT_KEY}",
        ["cache.safetensors", "warm.safetensors", "history.jsonl"],
    ),
    "vaccine": (
        f"results/vaccine/{STUDENT_KEY}",
        ["vaccine.json", "permutations.safetensors", "scores.npz"],
    ),
    "distill": (
        f"results/distill/{STUDENT_KEY}/{{guard}}",
        ["lambda.safetensors", "student.safetensors", "history.jsonl"],
    ),
    "retrospect": (
        f"results/retrospect/{STUDENT_KEY}/{{defense}}",
        ["student.safetensors", "history.jsonl"],
    ),
    "retrospect_abd": (f"results/retrospect/{STUDENT_KEY}/abd", ["decision.json"]),
    "verdict": (
        f"results/verdict/{STUDENT_KEY}",
        ["verdict.json", "pictures.npz"],
    ),
    "score": (f"results/score/{STUDENT_KEY}", ["score.json", "roc.npz", "scores.npz"]),
    "evaluate": (f"results/evaluate/{STUDENT_KEY}/{{defense}}", ["metrics.json"]),
}


def stage_files(cells: Iterable[Cell]) -> list[str]:
    """Every file that the stages make for these cells, intermediate ones too.

    All are named, so that a lost intermediate file is remade although nothing that
    depends on it is out of date: DVC would commit the hole.
    """
    return list(dict.fromkeys(path for cell in cells for path in _cell_files(cell)))


@cache  # targets, reports and the summary ask for the same cells
def _cell_files(cell: Cell) -> list[str]:
    return [path for job in stage_jobs(cell) for path in job.files]


class StageJob(NamedTuple):
    """A job of a stage: the folder that it writes, its wildcards, and its files' paths."""

    folder: str
    stage: str
    wildcards: dict[str, str]
    files: list[str]


def stage_jobs(cell: Cell) -> Iterator[StageJob]:
    """Every job that a cell's student comes from, in their order."""
    parts = {name: str(value) for name, value in asdict(cell).items()}
    for entry, guard in _stages(cell):
        template, files = FILES[entry]
        if entry == "retrospect_abd":  # a file more of the job before it
            continue
        if entry == "retrospect" and cell.defense == "abd":
            files = [*files, *FILES["retrospect_abd"][1]]
        of_cell = {**parts, "guard": guard}
        wildcards = {name: of_cell[name] for name in _names(template)}
        folder = template.format(**of_cell)
        paths = [f"{folder}/{file}" for file in files]
        yield StageJob(folder, entry.removesuffix("_teacher"), wildcards, paths)


@cache
def _names(template: str) -> list[str]:
    """The wildcards of a path, each once."""
    parts = (name for _, name, _, _ in Formatter().parse(template) if name)
    return list(dict.fromkeys(parts))


def _stages(cell: Cell) -> Iterator[tuple[str, str]]:
    """The stages that a cell's student comes from, in their order, and distill's guard."""
    if cell.given:
        yield "admit", ""
    else:
        yield from _attack(cell)
    if settings_class(cell.source).pool == "patches":
        yield "patches", ""
    if cell.guard != "first":
        yield "surrogate", ""
        yield "distill", "plain"
    if cell.guard == "searched":
        yield "vaccine", ""
        if not cell.given:
            yield "score", ""
    if cell.guard != "plain":
        yield "distill", cell.guard
    if cell.defense in SR_DEFENSES:
        yield "retrospect", ""
    if cell.defense == "abd":
        yield "retrospect_abd", ""
        if cell.given:
            yield "verdict", ""
    if not cell.given:
        yield "evaluate", ""


def _attack(cell: Cell) -> Iterator[tuple[str, str]]:
    """The stages that a trained teacher comes from."""
    yield "fetch", ""
    if needs_hard_images(cell.trigger):
        yield "harden", ""
    for stage in ("poison", "teacher", "evaluate_teacher"):
        yield stage, ""


def plain_path(settings: Settings, name: str, wildcards: Mapping[str, str]) -> str | None:
    """A file of the plain run that the rule of `abd` may go back to; None if it cannot."""
    if labelled_path(settings) is None:
        return None
    folder, _ = FILES["distill"]
    return f"{folder.format(**wildcards, guard='plain')}/{name}"
