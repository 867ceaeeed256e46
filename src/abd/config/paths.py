"""Where the results of a cell lie: what the rules make and the report reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from abd.config.cells import GUARDS, STUDENT_KEY, TEACHER_KEY, Cell
from abd.config.schema import Settings
from abd.config.sources import settings_class
from abd.data.photos import EMBEDDED
from abd.triggers import needs_hard_images

# Of all experiments in `run`: for programs, for `dvc metrics`, for `dvc plots`.
SUMMARY_FILES = ["reports/summary.json", "reports/metrics.json", "reports/plot.json"]
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


def rulegraph_path(experiment: str) -> str:
    """The rule graph of an experiment, as DOT."""
    return f"reports/rulegraphs/{experiment}.dot"


def student_path(*, defense: str, **parts: object) -> str:
    """The weights of the student that a defense ends with; `parts` are a cell's others."""
    key = STUDENT_KEY.format_map(parts)
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


def poison_path(dataset: str, trigger: str, file: str) -> str:
    """A file of what the attacker made: the manifest, the preview, and the images."""
    return f"results/poison/{dataset}/{trigger}/{file}"


def teacher_path(file: str, **parts: object) -> str:
    """A file of a teacher: its weights, its history or its record."""
    return f"results/teacher/{TEACHER_KEY.format_map(parts)}/{file}"


def vaccine_path(cell: Cell) -> str:
    """The verdict of the search that a cell's defense may use."""
    return f"results/vaccine/{cell.student_key}/vaccine.json"


def verdict_path(cell: Cell) -> str:
    """What is said of a teacher from a file."""
    return f"results/verdict/{cell.student_key}/verdict.json"


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
