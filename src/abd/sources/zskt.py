"""Zero-shot knowledge transfer: a generator seeks where student and teacher differ.

A round is a cycle: the generator takes a step towards images of larger divergence, then
the student takes some steps on the images of the new generator (method section 5.2). With
a vaccine the generator also seeks images on which teacher and shuffled teacher differ
(section 6.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from abd.errors import AbdError
from abd.frozen import frozen_parameters
from abd.losses import attention_map, attention_transfer, mean_kl
from abd.nets.generators import zskt_generator
from abd.nets.taps import tap_names, tapped
from abd.optim import OptimizerSpec
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.sources.base import Batch, Context
from abd.state import State


class ZsktSource:
    """Batches of a generator that is trained along, and the ZSKT distillation loss.

    The settings are those of section `distill.zskt`; there is no pool.
    """

    def __init__(
        self,
        context: Context,
        pool: Mapping[str, np.ndarray],
        *,
        batch: int,
        tau: float,
        nz: int,
        generator_steps: int,
        student_steps: int,
        lr_generator: float,
        lr: float,
        clip_norm: float,
        at_beta: float,
    ) -> None:
        self.context = context
        self.batch, self.tau, self.nz = batch, tau, nz
        self.generator_steps, self.student_steps = generator_steps, student_steps
        self.clip_norm, self.at_beta = clip_norm, at_beta
        self.optimizer = OptimizerSpec(
            "adam", cosine(lr, context.rounds), clip_norm=clip_norm
        )
        init = torch_stream(context.seed, "zskt", "generator")
        generator = zskt_generator(nz, context.size, init)
        self.generator = generator.to(  # type: ignore[call-overload]
            device=context.device, memory_format=torch.channels_last
        )
        self._spec = OptimizerSpec("adam", cosine(lr_generator, context.rounds))
        self.generator_optimizer = self._spec.build(
            self.generator.parameters(), capturable=context.graphed
        )
        self._taps = tap_names(context.teacher) if at_beta else []
        if at_beta and not self._taps:
            raise ValueError("at_beta: expected 0 for a teacher without named stages")

    def batches(self, index: int, student: nn.Module) -> Iterator[Batch]:
        """Train the generator on cycle `index`'s noise; yield its images.

        First those that it learnt from, which the student takes no step on though its
        BatchNorm has seen them, then those that it makes of the same noise afterwards.
        """
        return self.cycle(student, *self.prepare(index))

    def prepare(self, index: int) -> tuple[Tensor]:
        """Set the learning rate of cycle `index`; return its noise (B, nz)."""
        self._spec.set_lr(self.generator_optimizer, index)
        stream = torch_stream(self.context.seed, "zskt", "noise", index)
        z = torch.randn(self.batch, self.nz, generator=stream)
        return (z.to(self.generator.linear.weight),)

    def cycle(self, student: nn.Module, *prepared: Tensor) -> Iterator[Batch]:
        """Train the generator on noise (B, nz); yield its images."""
        (z,) = prepared
        self.generator.train()
        for _ in range(self.generator_steps):
            yield self._train_generator(z, student)
        with torch.no_grad():
            x = self.generator(z)
            logits, taps = tapped(self.context.teacher, x, self._taps)
            maps = tuple(attention_map(tap) for tap in taps)
        yield Batch(x, logits, maps, repeats=self.student_steps, seen=self.student_steps)

    def _train_generator(self, z: Tensor, student: nn.Module) -> Batch:
        """Take one step of the generator; return the batch that it learnt from."""
        context, parameters = self.context, list(self.generator.parameters())
        x = self.generator(z)
        with frozen_parameters(student):
            if context.vaccine is None:
                logits = context.teacher(x)
                loss = -mean_kl(logits, student(x), self.tau)
            else:
                logits, shuffled = context.vaccine(x)
                loss = -mean_kl(logits, student(x), self.tau)
                loss = loss + context.guard.term(logits, shuffled)
            gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        clip_grad_norm_(parameters, self.clip_norm)
        self.generator_optimizer.step()
        return Batch(x.detach(), logits.detach(), repeats=0)

    def loss(self, student: nn.Module, batch: Batch) -> Tensor:
        """mean-KL(T||S) at temperature tau plus at_beta times the attention transfer."""
        logits, taps = tapped(student, batch.x, tap_names(student) if self.at_beta else [])
        loss = mean_kl(batch.teacher_logits, logits, self.tau)
        if len(taps) != len(batch.teacher_maps):
            raise AbdError(
                f"params.yaml: distill.zskt.at_beta: expected 0 for networks of "
                f"{len(batch.teacher_maps)} and {len(taps)} named stages, got "
                f"{self.at_beta}"
            )
        for ours, theirs in zip(taps, batch.teacher_maps, strict=True):
            loss = loss + self.at_beta * attention_transfer(ours, theirs)
        return loss

    def save(self, state: State) -> None:
        """Put the generator and its optimizer into `state`."""
        state.put_net("generator", self.generator)
        state.put_optimizer("generator_optimizer", self.generator_optimizer)

    def load(self, state: State) -> None:
        """Take them back."""
        state.get_net("generator", self.generator)
        state.get_optimizer("generator_optimizer", self.generator_optimizer)
