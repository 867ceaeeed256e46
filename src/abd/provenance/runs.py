"""What MLflow is told of each evaluated model, read from what the stages left on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from abd.config.cells import TEACHER_PARTS, Cell
from abd.config.paths import history_paths, teacher_path
from abd.errors import AbdError
from abd.provenance.staleness import reasons
from abd.provenance.usage import samples_of, seconds_of
from abd.storage.files import read_json, sha256
from abd.storage.records import NAME as RECORD
from abd.storage.records import check_artifact, recorded_digest, records_beside
from abd.storage.results import read_curve

SEEN_IN = {"train": ("loss", "classes"), "monitor": ("acc", "asr")}
CURVES = {name: f"{where}.{name}" for where, names in SEEN_IN.items() for name in names}
FIGURES = ("curves.png", "scores.png")  # of an experiment's those that show single models
UNFIT = (LookupError, TypeError, ValueError, AttributeError)
COMMIT = "mlflow.source.git.commit"  # the UI shows it as the version


@dataclass(frozen=True)
class RunRecord:
    """One model: a teacher or a student.

    name, tags: what the table of runs shows and groups by. params: of all stages that made
    it, from the data set on. origin: code and input hashes of the stages that its curve is
    of. curve: points by step over all of these, under MLflow's names; final: Acc and ASR as
    evaluated; made: the commit and the params that its jobs were planned from. seconds:
    what the jobs took that its curve is of, None where that is not known here. system:
    samples of these jobs, with their times in milliseconds, as far as they are still
    there. artifacts: files, by the folder that they are sent to.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    origin: list[object]
    curve: list[dict[str, float]]
    final: dict[str, float]
    made: dict[str, str]
    seconds: float | None
    system: list[dict[str, float]]
    artifacts: list[tuple[str, str, str]]  # folder in MLflow, path here, sha256

    @property
    def key(self) -> str:
        """The same for the same model made from the same inputs, params and code."""
        return _digest([self.tags, self.params, self.origin])

    @property
    def digest(self) -> str:
        """The same as long as nothing has to be sent but what `shown` stands for.

        Without times and samples, which another clone of the results does not have.
        """
        shared = {"seconds": None, "system": None, "artifacts": None}
        return _digest({**asdict(self), **shared})

    @property
    def shown(self) -> str:
        """The same as long as no artifact has to be sent."""
        return _digest(self.artifacts)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def metrics_files(results: Path) -> Iterator[Path]:
    """The files with the final figures of every model."""
    return (results / "evaluate").glob("**/metrics.json")


def collect(results: Path, reports: Path) -> Iterator[RunRecord | AbdError]:
    """Read the record of every evaluated model below `results`.

    In place of a model whose files are damaged, what is wrong with them. Figures are those
    below `reports` of the experiments that its summary counts the model among.
    """
    asked = _experiments(reports / "summary.json")
    for path in sorted(metrics_files(results)):
        try:
            record = _collected(path, results, reports, asked)
        except AbdError as error:
            yield error
        except UNFIT as error:  # whole JSON of another shape
            yield AbdError(f"{path.parent}: expected the results of a model, got {error!r}")
        else:
            if record is not None:
                yield record


def _collected(
    path: Path, results: Path, reports: Path, asked: Mapping[str, list[str]]
) -> RunRecord | None:
    """The record of the model with these metrics; None where it is being made anew."""
    check_artifact(path, made=True)
    metrics = read_json(path)
    cell = {f.name: metrics[f.name] for f in fields(Cell) if f.name in metrics}
    root = results.parent
    histories = [root / p for p in _history_paths(cell)]
    if not all(history.is_file() for history in histories):
        return None
    for history in histories:
        check_artifact(history, made=True)
    records = records_beside([*histories, path])
    if any(reasons(r, (), lambda name: recorded_digest(root / name)) for r in records):
        return None  # made from what has been made anew since, and will be, too
    ancestors = list(_ancestors(root, path.parent))
    experiments = asked.get(_identity(cell), [])
    return RunRecord(
        name=_name(cell),
        tags={
            "kind": "student" if "student" in cell else "teacher",
            **{name: str(value) for name, value in cell.items()},
        },
        params=_params([*ancestors, *records]),
        origin=[[r["code"], r["inputs"]] for r in records],
        curve=[
            {CURVES.get(name, name): value for name, value in point.items()}
            for point in read_curve(histories)
        ],
        final={"acc": metrics["acc"], "asr": metrics["asr"]},
        made=_made(records, experiments),
        seconds=seconds_of(root, histories),
        system=list(samples_of(root, histories)),
        artifacts=list(_artifacts(results, reports, cell, experiments)),
    )


def _identity(cell: Mapping[str, Any]) -> str:
    """A cell, as a key; a teacher's is that of all its students."""
    names = [f.name for f in fields(Cell)]
    return json.dumps([cell.get(name) for name in names])


def _experiments(summary: Path) -> dict[str, list[str]]:
    """The experiments that ask for each model."""
    asked: dict[str, list[str]] = {}
    for record in read_json(summary) if summary.is_file() else ():
        try:
            student = {f.name: record[f.name] for f in fields(Cell)}
            experiment = record["experiment"]
        except (LookupError, TypeError):
            raise AbdError(f"{summary}: damaged; snakemake -R {summary} mends it") from None
        teacher = {name: student[name] for name in TEACHER_PARTS}
        for cell in (student, teacher):
            names = asked.setdefault(_identity(cell), [])
            if experiment not in names:
                names.append(experiment)
    return asked


def _history_paths(cell: Mapping[str, Any]) -> list[str]:
    if "student" in cell:
        return history_paths(Cell(**cell))
    return [teacher_path("history.jsonl", **cell)]


def _name(cell: Mapping[str, Any]) -> str:
    """What the table of runs shows first: "digits badnet_sq ood sv s0"."""
    if "student" in cell:
        return "{dataset} {trigger} {source} {defense} s{seed}".format_map(cell)
    return "{dataset} {trigger} teacher t{teacher_seed}".format_map(cell)


def _ancestors(root: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """The records of all jobs that a job's inputs come from, and its own; none twice."""
    waiting, seen = [folder], {folder}
    while waiting:
        record = waiting.pop() / RECORD
        if not record.is_file():
            continue
        content = read_json(record)
        yield content
        inputs = {(root / name).parent for name in content["inputs"]}
        waiting += sorted(inputs - seen)
        seen |= inputs


def _params(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The slices of params of these stages, flattened."""
    params: dict[str, str] = {}
    for record in records:
        stage = record["stage"]
        if stage != "evaluate":
            for key, value in record["config"].items():
                # As params.yaml has them: teacher.lr, not teacher.teacher.lr.
                alone = key in _SECTIONS.get(stage, (stage,))
                params |= _flat(stage if alone else f"{stage}.{key}", value)
    return params


# What a slice calls the settings of its stage, where it is not the stage's own name.
_SECTIONS = {
    "surrogate": ("settings",),
    "distill": ("settings",),
    "retrospect": ("retrospection",),
}


def _flat(prefix: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {
            k: v
            for key, item in value.items()
            for k, v in _flat(f"{prefix}.{key}", item).items()
        }
    return {prefix: json.dumps(value) if isinstance(value, list) else str(value)}


def _made(records: list[dict[str, Any]], experiments: list[str]) -> dict[str, str]:
    """Where the model is from: the last of its jobs says it."""
    planned = records[-1].get("planned", {}) if records else {}
    made = {COMMIT: planned.get("commit"), "params": planned.get("params")}
    found = {name: value for name, value in made.items() if value}
    return {**found, "experiments": ", ".join(experiments)} if experiments else found


def _artifacts(
    results: Path, reports: Path, cell: Mapping[str, Any], experiments: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """The trigger's preview, what was decided, and the figures of its experiments."""
    found = [("", results / "poison/{dataset}/{trigger}/preview.png".format_map(cell))]
    if cell.get("defense") == "abd":
        key = Cell(**cell).student_key
        found += [
            ("", results / "vaccine" / key / "vaccine.json"),
            ("", results / "retrospect" / key / "abd/decision.json"),
        ]
    for name in experiments:
        found += [(f"figures/{name}", reports / "figures" / name / f) for f in FIGURES]
    for target, path in found:
        if path.is_file():
            yield target, str(path), sha256(path)
