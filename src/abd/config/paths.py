"""Where the results of a cell lie: what the rules make and the report reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import PurePosixPath
from string import Formatter
from typing import NamedTuple

from abd.config.cells import GUARDS, Cell
from abd.config.schema import Settings
from abd.config.sources import settings_class
from abd.data.photos import EMBEDDED
from abd.triggers import needs_hard_images

# Of all experiments in `run`: for programs, for `dvc metrics`, for `dvc plots`.
SUMMARY_FILES = ["reports/summary.json", "reports/metrics.json", "reports/plot.json"]
SR_DEFENSES = ("sr", "sv_sr", "abd")
TEACHER = "{dataset}/{trigger}/{teacher}-t{teacher_seed}"
STUDENT = f"{TEACHER}/{{source}}/{{student}}-s{{seed}}"
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
    "teacher": (f"results/teacher/{TEACHER}", ["teacher.safetensors", "history.jsonl"]),
    "evaluate_teacher": (f"results/evaluate/{TEACHER}/teacher", ["metrics.json"]),
    "surrogate": (
        f"results/surrogate/{STUDENT}",
        ["cache.safetensors", "warm.safetensors", "history.jsonl"],
    ),
    "vaccine": (
        f"results/vaccine/{STUDENT}",
        ["vaccine.json", "permutations.safetensors", "scores.npz"],
    ),
    "distill": (
        f"results/distill/{STUDENT}/{{guard}}",
        ["lambda.safetensors", "student.safetensors", "history.jsonl"],
    ),
    "retrospect": (
        f"results/retrospect/{STUDENT}/{{defense}}",
        ["student.safetensors", "history.jsonl"],
    ),
    "retrospect_abd": (f"results/retrospect/{STUDENT}/abd", ["decision.json"]),
    "score": (f"results/score/{STUDENT}", ["score.json", "roc.npz", "scores.npz"]),
    "evaluate": (f"results/evaluate/{STUDENT}/{{defense}}", ["metrics.json"]),
}


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


def rulegraph_path(experiment: str) -> str:
    """The rule graph of an experiment, as DOT."""
    return f"reports/rulegraphs/{experiment}.dot"


def student_path(
    *, dataset: str, trigger: str, teacher: str, teacher_seed: str, source: str,
    student: str, seed: str, defense: str,
) -> str:  # fmt: skip
    """The weights of the student that a defense ends with."""
    key = f"{dataset}/{trigger}/{teacher}-t{teacher_seed}/{source}/{student}-s{seed}"
    if defense in SR_DEFENSES:
        return f"results/retrospect/{key}/{defense}/student.safetensors"
    return f"results/distill/{key}/{GUARDS[defense]}/student.safetensors"


def pool_path(source: str, dataset: str) -> str | None:
    """The images that a source draws from; None if it makes its own."""
    paths = {
        "patches": f"results/patches/{dataset}/patches.npz",
        "dataset": f"results/fetch/{dataset}/dataset.npz",
    }
    pool = settings_class(source).pool
    return None if pool is None else paths[pool]


def own_path(settings: Settings) -> str | None:
    """The user's own data, a file or a folder; None for a registered data set."""
    return settings.fetch.path


def labelled_path(settings: Settings) -> str | None:
    """The labelled images that decide about `abd`; None where its rule needs no data."""
    sr = settings.retrospect
    return sr.labelled if sr.rule == "paper" else None


def plain_path(settings: Settings, name: str, wildcards: Mapping[str, str]) -> str | None:
    """A file of the plain run that the rule of `abd` may go back to; None if it cannot."""
    if labelled_path(settings) is None:
        return None
    folder, _ = FILES["distill"]
    return f"{folder.format(**wildcards, guard='plain')}/{name}"


def statistics_path(settings: Settings, dataset: str) -> str | None:
    """The normalisation as it was found; None where params.yaml gives it."""
    given = settings.fetch.mean is not None and settings.fetch.std is not None
    return None if given else f"results/fetch/{dataset}/statistics.json"


def photo_files(settings: Settings) -> list[str]:
    """The photographs that are files; the embedded ones are none."""
    return [photo for photo in settings.patches.photos if photo not in EMBEDDED]


def hard_path(trigger: str, dataset: str) -> str | None:
    """The hard images that a trigger poisons; None if it poisons the images as they are."""
    return f"results/harden/{dataset}/hard.npz" if needs_hard_images(trigger) else None


def asset_files(settings: Settings, trigger: str) -> list[str]:
    """The files that replace a trigger's own arrays."""
    return list(settings.poison.assets.get(trigger, {}).values())


def metrics_path(cell: Cell) -> str:
    """The metrics of a cell's student."""
    return f"results/evaluate/{cell.student_key}/{cell.defense}/metrics.json"


def decision_path(cell: Cell) -> str:
    """What decided how `abd` ends."""
    return f"results/retrospect/{cell.student_key}/abd/decision.json"


def score_path(cell: Cell) -> str:
    """The diagnosis of the score of the search that a cell's defense may use."""
    return f"results/score/{cell.student_key}/score.json"


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


def benchmark_path(result: str) -> str:
    """What Snakemake measured of the job that writes this result."""
    folder = PurePosixPath(result).parent.relative_to("results")
    return f"benchmarks/{folder}.tsv"


def system_path(history: str) -> str:
    """What the job that writes this history took of its machine; not among the results."""
    return str(PurePosixPath(benchmark_path(history)).with_suffix(".system.jsonl"))


def stage_files(cells: Iterable[Cell]) -> list[str]:
    """Every file that the stages make for these cells, intermediate ones too.

    All are named, so that a lost intermediate file is remade although nothing that
    depends on it is out of date: DVC would commit the hole.
    """
    return list(dict.fromkeys(path for cell in cells for path in _cell_files(cell)))


@cache  # targets, reports and the summary ask for the same cells
def _cell_files(cell: Cell) -> list[str]:
    files = []
    for stage, guard in _stages(cell):
        folder, names = FILES[stage]
        folder = folder.format(**asdict(cell), guard=guard)
        files += [f"{folder}/{name}" for name in names]
    return files


class StageJob(NamedTuple):
    """A job of a stage: the folder that it writes, its wildcards, and its files' paths."""

    folder: str
    stage: str
    wildcards: dict[str, str]
    files: list[str]


def stage_jobs(cell: Cell) -> Iterator[StageJob]:
    """Every job that a cell's student comes from, in their order."""
    for entry, guard in _stages(cell):
        template, files = FILES[entry]
        if entry == "retrospect_abd":  # a file more of the job before it
            continue
        if entry == "retrospect" and cell.defense == "abd":
            files = [*files, *FILES["retrospect_abd"][1]]
        of_cell = {**{k: str(v) for k, v in asdict(cell).items()}, "guard": guard}
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
    yield "fetch", ""
    if needs_hard_images(cell.trigger):
        yield "harden", ""
    for stage in ("poison", "teacher", "evaluate_teacher"):
        yield stage, ""
    if settings_class(cell.source).pool == "patches":
        yield "patches", ""
    if cell.guard != "first":
        yield "surrogate", ""
        yield "distill", "plain"
    if cell.guard == "searched":
        yield "vaccine", ""
        yield "score", ""
    if cell.guard != "plain":
        yield "distill", cell.guard
    if cell.defense in SR_DEFENSES:
        yield "retrospect", ""
    if cell.defense == "abd":
        yield "retrospect_abd", ""
    yield "evaluate", ""
