"""Stage teacher: train the backdoored teacher."""

from __future__ import annotations

from torch import nn

from abd.errors import AbdError
from abd.metrics import EvalSet, evaluate
from abd.nets import build_net
from abd.seeding import torch_stream
from abd.stages.drive import Driver
from abd.stages.job import Job
from abd.stages.load import compiled, graphed, normalization, place, use_numerics
from abd.stages.supervised import make_training
from abd.stages.testset import load_test
from abd.storage.arrays import read_arrays, read_dataset
from abd.storage.checkpoints import write_net
from abd.storage.results import write_history


def run(job: Job) -> None:
    """Train on poisoned and clean images; refuse a teacher whose backdoor is weak."""
    config, settings = job.config, job.config["teacher"]
    device = use_numerics(config["numerics"])
    dataset = read_dataset(job.inputs["dataset"])
    poisoned = read_arrays(job.inputs["poisoned"])
    images, labels = dataset.x_train.copy(), dataset.y_train.copy()
    images[poisoned["idx"]] = poisoned["images"]
    labels[poisoned["idx"]] = poisoned["labels"]
    test = load_test(job, "test", device)

    init = torch_stream(config["seed"], "teacher", "init")
    net = place(build_net(config["net"], dataset.n_classes, init), device)
    training = make_training(
        settings,
        net,
        images,
        labels,
        normalization(job),
        seed=config["seed"],
        judge=lambda net: _judge(net, test),
        select_best=settings["select"] == "best",
        graphed=graphed(config["numerics"], device),
        compiled=compiled(config["numerics"], device),
    )
    driver = Driver(job, training, settings["epochs"])
    driver.until(settings["epochs"])

    net.load_state_dict(training.best_net)
    asr = evaluate(net, test).asr
    if asr < settings["min_asr"]:
        raise AbdError(
            f"teacher: expected an ASR of at least {settings['min_asr']} "
            f"(teacher.min_asr), got {asr:.3f} in the epoch that teacher.select: "
            f"{settings['select']} takes: no backdoor to defend against; train longer "
            "(teacher.epochs, budget) or poison more (poison.rate)"
        )
    write_net(job.outputs["weights"], net)
    write_history(job.outputs["history"], driver.history)
    driver.done()


def _judge(net: nn.Module, test: EvalSet) -> dict[str, float]:
    """Acc and ASR of an epoch: the attacker may choose the best one by them."""
    counts = evaluate(net, test)
    return {"acc": counts.acc, "asr": counts.asr}
