"""One call of CMI's synthesis: a fresh generator, optimised until its images fit.

The images should have the statistics that the teacher's BatchNorm layers remember, be of
the classes asked for, be seen differently by the student, and differ from each other and
from all earlier ones (method section 5.3, part A).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.augment import random_crop, random_hflip, random_resized_crop
from abd.bn_inputs import bn_divergence, bn_features, bn_inputs
from abd.contrast import Bank, Head, contrastive_loss
from abd.eager import Adam
from abd.errors import AbdError
from abd.frozen import frozen_parameters, in_eval_mode
from abd.losses import sample_kl
from abd.nets.generators import cmi_generator
from abd.seeding import torch_stream
from abd.shuffling import agreement
from abd.sources.base import Context
from abd.state import State

LOCAL_SCALE = (0.25, 1.0)
LOCAL_RATIO = (3 / 4, 4 / 3)
BETAS = (0.5, 0.999)
KEY = "cmi_synthesis"


@dataclass(frozen=True)
class Recipe:
    """Numbers of a synthesis call.

    images: made per call; steps: of generator and noise, Adam at rate lr; nz: dimensions
    of the noise. Weights of the loss terms: w_bn, w_onehot, w_adv and w_contrast;
    temperature: of the contrast, with up to n_negatives earlier images.
    """

    images: int
    steps: int
    nz: int
    lr: float
    w_bn: float
    w_onehot: float
    w_adv: float
    w_contrast: float
    temperature: float
    n_negatives: int
    crop_pad: int


def adversarial_loss(teacher_logits: Tensor, student_logits: Tensor) -> Tensor:
    """Minus the batch mean of KL(T||S), counted where both predict the same; a scalar."""
    same = agreement(teacher_logits, student_logits)
    return -(sample_kl(teacher_logits, student_logits) * same).mean()


class Synthesis:
    """Optimises one batch of images; the best of all steps is kept.

    `layers`: the teacher's that have statistics to match. `best_pixels`: uint8
    (N, 3, H, W), truncated; `best_features`: (N, 2, n_features) of their local and global
    views.
    """

    def __init__(
        self,
        context: Context,
        recipe: Recipe,
        layers: Sequence[nn.BatchNorm2d],
        head: Head,
        epoch: int,
    ) -> None:
        self.context, self.recipe, self.layers, self.head = context, recipe, layers, head
        self._epoch = epoch
        self._path = ("cmi", "synthesis", epoch)
        stream = torch_stream(context.seed, *self._path)
        generator = cmi_generator(recipe.nz, context.size, stream)
        self.generator = generator.to(  # type: ignore[call-overload]
            device=context.device, memory_format=torch.channels_last
        ).train()
        z = torch.randn(recipe.images, recipe.nz, generator=stream)
        self.z = z.to(context.device).requires_grad_()
        targets = torch.randint(context.n_classes, (recipe.images,), generator=stream)
        self.targets = targets.sort().values.to(context.device)
        self.optimizer = Adam([*self.generator.parameters(), self.z], recipe.lr, BETAS)
        self.lowest = float("inf")
        self.best_pixels = torch.empty(0)
        self.best_features = torch.empty(0)
        self._step = 0

    def step(
        self, student: nn.Module, bank: Bank, head_optimizer: torch.optim.Optimizer
    ) -> tuple[Tensor, Tensor]:
        """Take one step; return the global views (N, 3, H, W) and the teacher's logits."""
        context, recipe = self.context, self.recipe
        stream = torch_stream(context.seed, *self._path, self._step)
        images = self.generator(self.z)
        x_global = self._normalized(
            random_hflip(random_crop(images, recipe.crop_pad, stream), stream)
        )
        local = random_resized_crop(images, stream, LOCAL_SCALE, LOCAL_RATIO)
        x_local = self._normalized(random_hflip(local, stream))
        with in_eval_mode(student), frozen_parameters(student):
            loss, logits, views = self._loss(student, x_global, x_local, bank, stream)
            total = loss.item()
            if not math.isfinite(total):
                raise AbdError(
                    f"cmi: expected a finite synthesis loss, got {total} in step "
                    f"{self._step}; lower distill.cmi.synthesis.lr"
                )
            if total < self.lowest:
                self.lowest = total
                self.best_pixels = (images.detach() * 255).to(torch.uint8).contiguous()
                self.best_features = views.detach()
            self.optimizer.zero_grad(set_to_none=True)
            head_optimizer.zero_grad(set_to_none=True)
            loss.backward()
        self.optimizer.step()
        head_optimizer.step()
        self._step += 1
        return x_global.detach(), logits.detach()

    @staticmethod
    def under_way(state: State) -> int | None:
        """The epoch of the call that `save` put into `state`; None where it did not."""
        epoch: int | None = state.values.get(KEY, {}).get("epoch")
        return epoch

    def save(self, state: State) -> None:
        """Put a call that is under way into `state`."""
        state.values[KEY] = {
            "epoch": self._epoch,
            "step": self._step,
            "lowest": self.lowest,
        }
        best = {"pixels": self.best_pixels, "features": self.best_features}
        state.put(KEY, {"z": self.z, **best})
        state.put_net(f"{KEY}_generator", self.generator)
        state.put_optimizer(f"{KEY}_optimizer", self.optimizer)

    def load(self, state: State) -> None:
        """Take back a call of the same epoch."""
        own, tensors = state.values[KEY], state.get(KEY)
        self._step, self.lowest = own["step"], own["lowest"]
        with torch.no_grad():
            self.z.copy_(tensors["z"])
        self.best_pixels = tensors["pixels"].to(self.context.device)
        self.best_features = tensors["features"].to(self.context.device)
        state.get_net(f"{KEY}_generator", self.generator)
        state.get_optimizer(f"{KEY}_optimizer", self.optimizer)

    def _normalized(self, images: Tensor) -> Tensor:
        return self.context.normalize(images * 255)

    def _loss(
        self,
        student: nn.Module,
        x_global: Tensor,
        x_local: Tensor,
        bank: Bank,
        stream: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The total loss, the teacher's global logits, and both views' features."""
        context, recipe = self.context, self.recipe
        teacher, vaccine = context.teacher, context.vaccine
        with bn_inputs(self.layers) as seen:
            teacher(x_local)
            local = bn_features(seen)
            if vaccine is None:
                logits = teacher(x_global)
            else:
                shared = vaccine.trunk(x_global)
                logits = vaccine.teacher_logits(shared)
            bn = bn_divergence(self.layers, seen)
            views = torch.stack([local, bn_features(seen)], dim=1)
        cached = bank.draw(recipe.n_negatives, stream)
        contrast = contrastive_loss(self.head, views, cached, recipe.temperature)
        loss = (
            recipe.w_bn * bn
            + recipe.w_onehot * F.cross_entropy(logits, self.targets)
            + recipe.w_adv * adversarial_loss(logits, student(x_global))
            + recipe.w_contrast * contrast
        )
        if vaccine is not None:
            loss = loss + context.guard.term(logits, vaccine.shuffled_logits(shared))
        return loss, logits, views
