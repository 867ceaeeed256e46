"""Labelled images of the user's own, and a suspected trigger: for the report alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from abd.data.labelled import load_labelled
from abd.data.rgb import read_rgba
from abd.data.there import is_file
from abd.errors import AbdError, printable
from abd.metrics import predict
from abd.pixels import Normalization, to_pixels
from abd.poisoning import stamp_test_set
from abd.purify.options import Options
from abd.triggers import TRIGGERS, Trigger, build_trigger
from abd.triggers.picture import picture_trigger


@dataclass(frozen=True)
class Known:
    """What a network does with the images: fractions; asr is None without a trigger."""

    acc: float
    asr: float | None

    @property
    def gain(self) -> float:
        """What an oracle goes by: Acc - ASR."""
        return self.acc - (self.asr or 0.0)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images uint8 (N, S, S, 3) with labels (N,).

    stamped: those whose class is not `target`, with the suspected trigger; None without.
    """

    images: np.ndarray
    labels: np.ndarray
    stamped: np.ndarray | None
    target: int | None

    def measure(self, net: nn.Module, normalize: Normalization) -> Known:
        """Count what `net`, on the CPU, says to them."""
        labels = torch.from_numpy(self.labels)
        right = predict(net, to_pixels(self.images), normalize) == labels
        if self.stamped is None:
            return Known(float(right.float().mean()), None)
        said = predict(net, to_pixels(self.stamped), normalize)
        hit = said == torch.tensor(self.target)
        return Known(float(right.float().mean()), float(hit.float().mean()))


def read_labelled(options: Options) -> Labelled | None:
    """Read what `--test`, `--trigger` and `--target` name; None where they name nothing.

    Raises AbdError where it cannot be used.
    """
    if options.test is None:
        return None
    images, labels = load_labelled(options.test, options.size, options.classes)
    if options.trigger is None:
        return Labelled(images, labels, None, None)
    assert options.target is not None
    trigger = _trigger(options.trigger, options.size)
    stamped = stamp_test_set(images, labels, trigger, options.target)
    if not len(stamped):
        raise AbdError(
            f"--target: expected labelled images of other classes, got those of class "
            f"{options.target} alone"
        )
    return Labelled(images, labels, stamped, options.target)


def _trigger(given: str, size: int) -> Trigger:
    """One of abd's by its name, or a picture."""
    if given in TRIGGERS.names():
        try:
            return build_trigger(given, size)
        except ValueError as error:
            raise AbdError(f"--trigger: {error}") from None
    if not is_file(Path(given)):
        raise AbdError(
            f"--trigger: expected one of {', '.join(TRIGGERS.names())}, or a picture with "
            f"transparency, got {printable(given)}"
        )
    try:
        return picture_trigger(read_rgba(Path(given)), size)
    except ValueError as error:
        raise AbdError(f"--trigger: {printable(given)}: {error}") from None
