"""Contrastive model inversion: a growing pool of images made from the teacher's memory.

An epoch is a call of synthesis, a round for each of its steps, which adds images to the
pool; then come rounds of distillation on batches of the whole pool (method section 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from abd.augment import random_crop, random_hflip
from abd.bn_inputs import bn_layers_used
from abd.contrast import Bank, Head
from abd.eager import Adam
from abd.losses import batch_kl
from abd.optim import OptimizerSpec
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.sources.base import Batch, Context, check_different
from abd.sources.synthesis import Recipe, Synthesis
from abd.state import State


class CmiSource:
    """Batches of a pool of synthetic images, and the CMI distillation loss.

    The settings are those of section `distill.cmi`; there is no pool to begin with.
    """

    def __init__(
        self,
        context: Context,
        pool: Mapping[str, np.ndarray],
        *,
        batch: int,
        tau: float,
        kd_steps: int,
        lr: float,
        momentum: float,
        weight_decay: float,
        crop_pad: int,
        hflip: bool,
        lr_head: float,
        head_dim: int,
        bank: int,
        synthesis: Mapping[str, float],
    ) -> None:
        self.context = context
        self.batch, self.tau, self.kd_steps = batch, tau, kd_steps
        self.crop_pad, self.hflip = crop_pad, hflip
        self.recipe = Recipe(**synthesis)  # type: ignore[arg-type]
        self.pixels = torch.zeros(
            0, 3, context.size, context.size, dtype=torch.uint8, device=context.device
        )
        any_x = torch.zeros(2, 3, context.size, context.size, device=context.device)
        self.layers = bn_layers_used(context.teacher, any_x)
        n_features = sum(layer.num_features for layer in self.layers)
        if n_features == 0:
            raise ValueError("teacher: expected BatchNorm layers, got none")
        init = torch_stream(context.seed, "cmi", "head")
        self.head = Head(n_features, head_dim, init).to(context.device)
        self._head_optimizer = Adam(self.head.parameters(), lr_head)
        self.synthesis: Synthesis | None = None  # the call that is under way
        self.bank = Bank(bank, n_features, context.device)
        by_epoch = cosine(lr, context.rounds // self.rounds_per_epoch)
        self.optimizer = OptimizerSpec(
            "sgd",
            lambda position: by_epoch(position // self.rounds_per_epoch),
            momentum,
            weight_decay,
        )

    @property
    def rounds_per_epoch(self) -> int:
        """The steps of synthesis, and those of distillation."""
        return self.recipe.steps + self.kd_steps

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Yield one batch of the pool; in a round of synthesis its global views instead.

        The student takes no step on those; they are what the surrogate cache holds.
        """
        epoch, place = divmod(index, self.rounds_per_epoch)
        if place >= self.recipe.steps:
            yield self._draw(epoch, place - self.recipe.steps)
            return
        if self.synthesis is None:
            self.synthesis = self._call(epoch)
        x, logits = self.synthesis.step(student, self.bank, self._head_optimizer)
        yield Batch(x, logits, repeats=0)
        if place == self.recipe.steps - 1:
            check_different(self.synthesis.best_pixels)
            self.pixels = torch.cat([self.pixels, self.synthesis.best_pixels])
            self.bank.add(self.synthesis.best_features)
            self.synthesis = None

    def _call(self, epoch: int) -> Synthesis:
        return Synthesis(self.context, self.recipe, self.layers, self.head, epoch)

    def _draw(self, epoch: int, step: int) -> Batch:
        """Batch `step` of an epoch: passes over the pool, each in a new order."""
        context = self.context
        batch = min(self.batch, len(self.pixels))
        number, place = divmod(step, len(self.pixels) // batch)
        order_stream = torch_stream(context.seed, "cmi", "order", epoch, number)
        order = torch.randperm(len(self.pixels), generator=order_stream)
        idx = order[place * batch : (place + 1) * batch].to(context.device)
        stream = torch_stream(context.seed, "cmi", "augment", epoch, step)
        pixels = random_crop(self.pixels[idx], self.crop_pad, stream)
        if self.hflip:
            pixels = random_hflip(pixels, stream)
        x = context.normalize(pixels)
        with torch.no_grad():
            return Batch(x, context.teacher(x), pixels=pixels, seen=0)

    def loss(self, student: nn.Module, batch: Batch) -> Tensor:
        """tau**2 times batch-KL(T||S) at temperature tau."""
        return self.tau**2 * batch_kl(batch.teacher_logits, student(batch.x), self.tau)

    def save(self, state: State) -> None:
        """Put pool, bank, head with its optimizer, and a call under way into `state`."""
        state.put("cmi", {"pixels": self.pixels, "bank": self.bank.pairs})
        state.values["cmi_bank_place"] = self.bank.place
        state.put_net("cmi_head", self.head)
        state.put_optimizer("cmi_head_optimizer", self._head_optimizer)
        if self.synthesis is not None:
            self.synthesis.save(state)

    def load(self, state: State) -> None:
        """Take them back."""
        device = self.context.device
        self.pixels = state.tensors["cmi/pixels"].to(device)
        self.bank.pairs = state.tensors["cmi/bank"].to(device, copy=True)
        self.bank.place = state.values["cmi_bank_place"]
        state.get_net("cmi_head", self.head)
        state.get_optimizer("cmi_head_optimizer", self._head_optimizer)
        self.synthesis = None
        if (epoch := Synthesis.under_way(state)) is not None:
            self.synthesis = self._call(epoch)
            self.synthesis.load(state)
