"""What the owner of a teacher takes away: student, model card, verdict."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from abd.config import Plan
from abd.config.cells import Cell
from abd.config.paths import (
    history_paths,
    pool_path,
    student_path,
    teacher_path,
    verdict_path,
)
from abd.config.schema import Settings
from abd.errors import printable
from abd.nets import build_net
from abd.pixels import Normalization
from abd.purify.calibration import shaping
from abd.purify.labelled import Known, read_labelled
from abd.purify.options import NAME, Options
from abd.purify.verdict import About, write_verdict
from abd.storage.checkpoints import read_net
from abd.storage.files import replacing
from abd.storage.records import read_record, record_path
from abd.storage.results import last_value, read_curve

FILES = ("student.safetensors", "verdict.json", "report.html", "README.md")
DEFENSES = {"undefended": "none", "purified": "abd"}


def export(
    work: Path, options: Options, plan: Plan, own: Sequence[str]
) -> tuple[str, list[Path]]:
    """Copy student and figures out of the work, write page and card.

    own: the sections of params that the user laid over the study's. Return the sentence
    that sums up, and what was written.
    """
    cell = options.cell()
    found = work / verdict_path(cell)
    student, verdict, page, card = written = [options.out / name for name in FILES]
    settings = plan.settings[NAME]
    assert settings.fetch.mean is not None
    assert settings.fetch.std is not None
    # Of the bytes that were read, whatever lies there by now.
    record = read_record(work / teacher_path("record.json", **vars(cell)))
    (admitted,) = record["inputs"].values()
    about = About(
        file=printable(options.teacher.name),
        sha256=admitted,
        teacher=cell.teacher,
        student=cell.student,
        source=cell.source,
        size=options.size,
        n_classes=options.classes,
        mean=settings.fetch.mean,
        std=settings.fetch.std,
        photos=_photos(work, settings, cell),
        like=options.like,
        settings=own,
        budget=options.budget,
        seed=options.seed,
        looked_at=shaping(cell.teacher, cell.source, settings),
        classes_at_end=last_value(
            read_curve(work / path for path in history_paths(cell)), "classes"
        ),
        known=_known(work, options, plan),
        suspected=_suspected(options),
    )
    pictures = found.with_name("pictures.npz")
    sentence = write_verdict(found, pictures, about, page=page, card=card)
    for source, target in ((_student(work, cell, "abd"), student), (found, verdict)):
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    return sentence, written


def _student(work: Path, cell: Cell, defense: str) -> Path:
    return work / student_path(**(vars(cell) | {"defense": defense}))


def _photos(work: Path, settings: Settings, cell: Cell) -> dict[str, str]:
    """The photographs by name, with the sha256 of those that are files."""
    if settings.distill.of(cell.source).pool != "patches":
        return {}
    pool = pool_path(cell.source, NAME)
    assert pool is not None
    read = read_record(record_path(work / pool))["inputs"]
    return {
        printable(Path(photo).name): read.get(photo, "")
        for photo in settings.patches.photos
    }


def _suspected(options: Options) -> str | None:
    if options.trigger is None:
        return None
    return f"{printable(Path(options.trigger).name)}, class {options.target}"


def _known(work: Path, options: Options, plan: Plan) -> dict[str, Known]:
    """By network, what it does with the user's labelled images; empty without them."""
    labelled = read_labelled(options)
    if labelled is None:
        return {}
    cell, fetch = options.cell(), plan.settings[NAME].fetch
    assert fetch.mean is not None
    assert fetch.std is not None
    normalize = Normalization(fetch.mean, fetch.std)
    teacher = work / teacher_path("teacher.safetensors", **vars(cell))
    files = {"teacher": (cell.teacher, teacher)}
    files |= {n: (cell.student, _student(work, cell, d)) for n, d in DEFENSES.items()}
    return {
        name: labelled.measure(read_net(path, build_net(net, fetch.n_classes)), normalize)
        for name, (net, path) in files.items()
    }
