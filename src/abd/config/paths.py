"""Where the results of a cell lie: what the rules make and the report reads."""

from __future__ import annotations

from collections.abc import Iterable

from abd.config.cells import GUARDS, Cell

SR_DEFENSES = ("sr", "sv_sr", "abd")


def report_files(experiments: Iterable[str]) -> list[str]:
    """The pages of experiments, and the folders of their figures."""
    return [
        path
        for name in experiments
        for path in (
            f"reports/pages/{name}.html",
            f"reports/pages/{name}.md",
            f"reports/figures/{name}",
        )
    ]


def student_path(
    *, dataset: str, trigger: str, teacher: str, teacher_seed: str, source: str,
    student: str, seed: str, defense: str,
) -> str:  # fmt: skip
    """The weights of the student that a defense ends with."""
    key = f"{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}"
    if defense in SR_DEFENSES:
        return f"results/retrospect/{key}/{defense}/student.safetensors"
    return f"results/distill/{key}/{GUARDS[defense]}/student.safetensors"


def metrics_path(cell: Cell) -> str:
    """The metrics of a cell's student."""
    return f"results/evaluate/{cell.student_key}/{cell.defense}/metrics.json"


def teacher_metrics_path(cell: Cell) -> str:
    """The metrics of a cell's teacher."""
    return f"results/evaluate/{cell.teacher_key}/teacher/metrics.json"


def history_paths(cell: Cell) -> list[str]:
    """The histories that make a student's curve, in the order of its rounds."""
    key = cell.student_key
    paths = [f"results/distill/{key}/{cell.guard}/history.jsonl"]
    if cell.guard != "first":
        paths.insert(0, f"results/surrogate/{key}/history.jsonl")
    if cell.defense in SR_DEFENSES:
        paths.append(f"results/retrospect/{key}/{cell.defense}/history.jsonl")
    return paths


def stage_files(cells: Iterable[Cell]) -> list[str]:
    """Every file that the stages make for these cells, intermediate ones too.

    All are named, so that a lost intermediate file is remade although nothing that
    depends on it is out of date: DVC would commit the hole.
    """
    files: dict[str, None] = {}
    for cell in cells:
        files |= dict.fromkeys(_cell_files(cell))
    return list(files)


def _cell_files(cell: Cell) -> list[str]:
    poison, teacher, key = (
        f"{cell.dataset}/{cell.trigger}",
        cell.teacher_key,
        cell.student_key,
    )
    files = [
        f"results/poison/{poison}/manifest.json",
        f"results/poison/{poison}/preview.png",
        f"results/teacher/{teacher}/teacher.safetensors",
        teacher_metrics_path(cell),
        f"results/distill/{key}/{cell.guard}/student.safetensors",
        *history_paths(cell),
        metrics_path(cell),
    ]
    if cell.defense == "abd":
        files += [
            f"results/vaccine/{key}/vaccine.json",
            f"results/vaccine/{key}/scores.npz",
        ]
    return files
