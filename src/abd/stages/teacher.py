"""Stage teacher: train the backdoored teacher."""

from __future__ import annotations

import torch
from torch import nn

from abd.errors import AbdError
from abd.metrics import EvalSet, evaluate
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import to_pixels
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.stages.drive import Driver
from abd.stages.job import Job
from abd.stages.load import normalization, place, use_numerics
from abd.stages.testset import load_test
from abd.storage.arrays import read_arrays, read_dataset
from abd.storage.checkpoints import write_net
from abd.storage.results import write_history
from abd.training import Training


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
    training = Training(
        net,
        to_pixels(images).to(device),
        torch.from_numpy(labels).to(device),
        normalization(job),
        OptimizerSpec(
            settings["optimizer"],
            cosine(settings["lr"], settings["epochs"]),
            settings["momentum"],
            settings["weight_decay"],
        ),
        seed=config["seed"],
        batch=settings["batch"],
        crop_pad=settings["crop_pad"],
        hflip=settings["hflip"],
        judge=lambda net: _judge(net, test),
        select_best=settings["select"] == "best",
    )
    driver = Driver(job, training, settings["epochs"])
    driver.until(settings["epochs"])

    net.load_state_dict(training.best_net)
    asr = evaluate(net, test).asr
    if asr < settings["min_asr"]:
        raise AbdError(
            f"teacher: expected an ASR of at least {settings['min_asr']} "
            f"(teacher.min_asr), got {asr:.3f}: no backdoor to defend against; train "
            "longer or poison more"
        )
    write_net(job.outputs["weights"], net)
    write_history(job.outputs["history"], driver.history)
    driver.done()


def _judge(net: nn.Module, test: EvalSet) -> dict[str, float]:
    """Acc and ASR of an epoch: the attacker may choose the best one by them."""
    counts = evaluate(net, test)
    return {"acc": counts.acc, "asr": counts.asr}
