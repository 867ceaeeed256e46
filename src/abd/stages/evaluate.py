"""Stage evaluate: Acc and ASR of a teacher or a student on the whole test set."""

from __future__ import annotations

from dataclasses import asdict

from abd.metrics import evaluate
from abd.nets import build_net
from abd.stages.job import Job
from abd.stages.load import place, use_numerics
from abd.stages.testset import load_test
from abd.storage.checkpoints import read_net
from abd.storage.files import write_json


def run(job: Job) -> None:
    """Write the cell, its counts, and what follows from them."""
    config = job.config
    device = use_numerics(config["numerics"])
    cell = config["cell"]
    net = build_net(cell.get("student", cell["teacher"]), config["images"]["n_classes"])
    read_net(job.inputs["model"], net)
    test = load_test(job, "test", device)
    counts = evaluate(place(net, device), test)
    write_json(
        job.outputs["metrics"],
        {**cell, "acc": counts.acc, "asr": counts.asr, **asdict(counts)},
    )
