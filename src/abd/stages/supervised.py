"""Supervised training as the sections `teacher` and `harden` describe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from abd.optim import OptimizerSpec
from abd.pixels import Normalization, to_pixels
from abd.schedules import cosine
from abd.training import Craft, Training


def make_training(
    settings: Mapping[str, Any],
    net: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    normalize: Normalization,
    *,
    seed: int,
    judge: Callable[[nn.Module], dict[str, float]],
    select_best: bool,
    craft: Craft | None = None,
    graphed: bool = False,
    compiled: bool = False,
) -> Training:
    """Return the training of `net` on images (N, H, W, 3) and labels (N,)."""
    device = next(net.parameters()).device
    return Training(
        net,
        to_pixels(images).to(device),
        torch.from_numpy(labels).to(device),
        normalize,
        OptimizerSpec(
            settings["optimizer"],
            cosine(settings["lr"], settings["epochs"]),
            settings["momentum"],
            settings["weight_decay"],
        ),
        seed=seed,
        batch=settings["batch"],
        crop_pad=settings["crop_pad"],
        hflip=settings["hflip"],
        judge=judge,
        select_best=select_best,
        craft=craft,
        graphed=graphed,
        compiled=compiled,
    )
