"""What the owner of a teacher takes away: student, model card, verdict."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from abd.config import Plan
from abd.config.cells import Cell
from abd.config.paths import student_path
from abd.data.labelled import load_labelled
from abd.errors import printable
from abd.metrics import predict
from abd.nets import build_net
from abd.pixels import Normalization, to_pixels
from abd.purify.options import NAME, Options
from abd.purify.verdict import About, write_verdict
from abd.storage.checkpoints import read_net
from abd.storage.files import replacing
from abd.storage.records import read_record

FILES = ("student.safetensors", "verdict.json", "report.html", "README.md")
DEFENSES = {"undefended": "none", "purified": "abd"}


def export(work: Path, options: Options, plan: Plan) -> tuple[str, list[Path]]:
    """Copy student and figures out of the work, write page and card.

    Return the sentence that sums up, and what was written.
    """
    cell = options.cell()
    folder = work / f"results/verdict/{cell.student_key}"
    student, verdict, page, card = written = [options.out / name for name in FILES]
    settings = plan.settings[NAME]
    assert settings.fetch.mean is not None
    assert settings.fetch.std is not None
    # Of the bytes that were read, whatever lies there by now.
    record = read_record(work / f"results/teacher/{cell.teacher_key}/record.json")
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
        budget=options.budget,
        seed=options.seed,
        looked_at={
            "net": cell.teacher,
            "source": cell.source,
            "size": options.size,
            "n_classes": options.classes,
            "verdict": settings.verdict.model_dump(),
            "vaccine": settings.vaccine.model_dump(include={"members", "n_conv"}),
        },
        accs={} if options.test is None else _accs(work, cell, options.test, plan),
    )
    found = folder / "verdict.json"
    sentence = write_verdict(found, folder / "pictures.npz", about, page=page, card=card)
    for source, target in ((_student(work, cell, "abd"), student), (found, verdict)):
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    return sentence, written


def _student(work: Path, cell: Cell, defense: str) -> Path:
    return work / student_path(
        dataset=cell.dataset, trigger=cell.trigger, teacher=cell.teacher,
        teacher_seed=str(cell.teacher_seed), source=cell.source, student=cell.student,
        seed=str(cell.seed), defense=defense,
    )  # fmt: skip


def _accs(work: Path, cell: Cell, test: Path, plan: Plan) -> Mapping[str, float]:
    """By network, the share of labelled images that it knows."""
    fetch = plan.settings[NAME].fetch
    assert fetch.mean is not None
    assert fetch.std is not None
    normalize = Normalization(fetch.mean, fetch.std)
    x, y = load_labelled(test, fetch.size, fetch.n_classes)
    pixels, labels = to_pixels(x), torch.from_numpy(y)
    teacher = work / f"results/teacher/{cell.teacher_key}/teacher.safetensors"
    files = {"teacher": (cell.teacher, teacher)}
    files |= {n: (cell.student, _student(work, cell, d)) for n, d in DEFENSES.items()}
    accs = {}
    for name, (net, path) in files.items():
        answers = predict(
            read_net(path, build_net(net, fetch.n_classes)), pixels, normalize
        )
        accs[name] = float((answers == labels).float().mean())
    return accs
