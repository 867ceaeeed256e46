"""Stage harden: hard images of the target class, for the trigger `cl`."""

from __future__ import annotations

import numpy as np
import torch

from abd.adversarial import Attack, harden
from abd.metrics import predict
from abd.nets import build_net
from abd.pixels import to_pixels
from abd.seeding import torch_stream
from abd.stages.drive import Driver
from abd.stages.job import Job
from abd.stages.load import normalization, place, use_numerics
from abd.stages.supervised import make_training
from abd.storage.arrays import read_dataset, write_arrays
from abd.storage.files import write_json
from abd.storage.pictures import write_picture
from abd.storage.results import write_history

N_PREVIEW = 6


def run(job: Job) -> None:
    """Train a robust network, independent of the victim, and attack it."""
    config, settings = job.config, job.config["harden"]
    device, normalize = use_numerics(config["numerics"]), normalization(job)
    dataset = read_dataset(job.inputs["dataset"])
    x_test = to_pixels(dataset.x_test).to(device)
    y_test = torch.from_numpy(dataset.y_test).to(device)

    def acc(net: torch.nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
        return (predict(net, pixels, normalize) == labels).float().mean().item()

    init = torch_stream(settings["seed"], "harden", "init")
    net = place(build_net(settings["net"], dataset.n_classes, init), device)
    training = make_training(
        settings,
        net,
        dataset.x_train,
        dataset.y_train,
        normalize,
        seed=settings["seed"],
        judge=lambda net: {"acc": acc(net, x_test, y_test)},
        select_best=False,
        craft=Attack(**settings["training"], normalize=normalize),
    )
    driver = Driver(job, training, settings["epochs"])
    driver.until(settings["epochs"])

    target = config["target"]
    idx = np.flatnonzero(dataset.y_train == target)
    easy = to_pixels(dataset.x_train[idx]).to(device)
    labels = torch.full((len(idx),), target, device=device)
    attack = Attack(**settings["attack"], normalize=normalize)
    made = harden(net, easy, labels, attack, settings["seed"])
    images = made.permute(0, 2, 3, 1).cpu().numpy()
    write_arrays(job.outputs["hard"], idx=idx, images=images)
    write_json(
        job.outputs["manifest"],
        {
            "target": target,
            "n_images": len(idx),
            "max_delta": int((made.int() - easy.int()).abs().max()),
            "acc": acc(net, x_test, y_test),
            "acc_hard": acc(net, made, labels),
        },
    )
    shown = np.stack([dataset.x_train[idx[:N_PREVIEW]], images[:N_PREVIEW]])
    write_picture(job.outputs["preview"], shown)
    write_history(job.outputs["history"], driver.history)
    driver.done()
