"""Optimizers by name, their learning rate a function of the position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from abd.eager import SGD, Adam
from abd.schedules import Schedule


@dataclass(frozen=True)
class OptimizerSpec:
    """A kind of optimizer, its constants, and its learning rate at each position.

    `kind` is "adam" (betas 0.9 and 0.999, eps 1e-8) or "sgd" (`momentum` counts only
    there); `weight_decay` is coupled L2; with `clip_norm` the gradient is scaled down to
    that L2 norm where it is larger.
    """

    kind: str
    lr: Schedule
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float | None = None

    def build(self, parameters: Iterable[Tensor], *, capturable: bool = False) -> Optimizer:
        """Build the optimizer; ValueError for an unknown kind.

        With `capturable` its steps can be part of a CUDA graph: all that changes, the
        learning rate too, is then on the device.
        """
        parameters = list(parameters)
        lr: float | Tensor = self.lr(0)
        if capturable:
            lr = torch.tensor(lr, device=parameters[0].device)
        if self.kind == "adam":
            return Adam(
                parameters, lr, weight_decay=self.weight_decay, capturable=capturable
            )
        if self.kind == "sgd":  # the fused one alone reads its learning rate on the device
            return SGD(
                parameters,
                lr,
                self.momentum,
                weight_decay=self.weight_decay,
                fused=capturable or None,
            )
        raise ValueError(f"optimizer: expected adam or sgd, got {self.kind!r}")

    def restarted(self, lr: Schedule) -> OptimizerSpec:
        """The same kind of optimizer on another schedule, unclipped (sections 7.2, 7.5)."""
        return replace(self, lr=lr, clip_norm=None)

    def step(self, optimizer: Optimizer) -> None:
        """Take a step along the gradients that are there, clipped if need be."""
        if self.clip_norm is not None:
            clip_grad_norm_(
                [p for group in optimizer.param_groups for p in group["params"]],
                self.clip_norm,
            )
        optimizer.step()

    def set_lr(self, optimizer: Optimizer, position: int) -> None:
        """Set the learning rate of `position`."""
        for group in optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.lr(position))
            else:
                group["lr"] = self.lr(position)
