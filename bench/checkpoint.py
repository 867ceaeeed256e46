"""What working checkpoints cost a run at the study's length."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from abd.config import load_plan
from abd.config.lengths import lengths
from abd.config.sources.cmi import CmiSettings
from abd.distillation import Distillation
from abd.pixels import Normalization
from abd.sources.base import Context
from abd.sources.cmi import CmiSource
from abd.stages.drive import CHECKPOINT_SECONDS, CHECKPOINT_SHARE
from abd.storage.working import WorkingCheckpoints
from bench.timing import Figure
from bench.zskt import SIZE, distillation, prepared, student, teacher_net

N_SAVES = 5
MIB = 2**20


def checkpoint() -> Figure:
    """A save of CMI's state near its end, the largest there is, against two minutes' work.

    Its pool and its bank are full, and a synthesis is under way.
    """
    teacher = prepared("float32")
    study = load_plan(Path("params.yaml")).settings["cifar10"]
    own = study.distill.of("cmi")
    assert isinstance(own, CmiSettings)
    n_images = own.epochs * own.synthesis.images
    context = Context(
        teacher_net(), Normalization((0.5,) * 3, (0.25,) * 3), torch.device("cpu"),
        size=SIZE, n_classes=10, seed=0, rounds=lengths(study, "cmi").total,
    )  # fmt: skip
    source = CmiSource(context, {}, **own.arguments())
    source.pixels = torch.zeros(n_images, 3, SIZE, SIZE, dtype=torch.uint8)
    source.bank.add(torch.ones(source.bank.capacity, *source.bank.pairs.shape[1:]))
    cmi = Distillation(student(), source, seed=0, log_every=1)
    zskt = distillation(teacher)
    for run in (cmi, zskt):  # optimizers have no state before their first step
        for _ in run.run(1):
            pass
    largest, usual = _seconds(cmi), _seconds(zskt)
    share = largest / CHECKPOINT_SECONDS
    size = sum(t.nbytes for t in cmi.state().tensors.values())
    notes = {"mib": size / MIB, "zskt": usual, "zskt_share": usual / CHECKPOINT_SECONDS}
    return Figure(
        "checkpoint", largest, "s", "the time between two", CHECKPOINT_SECONDS, share,
        CHECKPOINT_SHARE, notes,
    )  # fmt: skip


def _seconds(run: Distillation) -> float:
    """The median of some saves, with what a save checks and sums."""
    seconds = []
    Path("work").mkdir(exist_ok=True)  # on the disk that jobs write to
    with TemporaryDirectory(dir="work") as folder:
        kept = WorkingCheckpoints(Path(folder), "bench")
        for _ in range(N_SAVES):
            before = time.perf_counter()
            state = run.state()
            assert not state.not_finite()
            kept.save(state)
            seconds.append(time.perf_counter() - before)
    return statistics.median(seconds)
