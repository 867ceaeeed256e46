"""Self-Retrospection: the student finds and unlearns its own backdoor (section 7).

min over theta, max over delta of KL(S(x) || S(x + delta)): one universal perturbation
delta per step, treated as a function of the student; its gradient is a hypergradient.
Written once for every source; the reference's variants are settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from abd.eager import Adam
from abd.frozen import frozen_parameters
from abd.gradients import learning
from abd.hypergradient import hypergradient
from abd.losses import batch_kl, mean_kl
from abd.repeated import Repeated
from abd.second_order import (
    gradient_with_graph,
    quick_second_order,
    second_order_checked,
)

WORDS = {
    "perturb": ("student", "teacher"),
    "reduction": ("mean", "batch"),
    "bn": ("reference", "outer", "clean"),
}


@dataclass(frozen=True)
class RetrospectionSettings:
    """Constants of one step; the paper's symbol or the reference's name in brackets.

    portion: share of the batch that carries delta in the outer loss. weight: factor of
    the SR gradient relative to the distillation gradient. tau: temperature of the
    divergences. perturb: whose delta,
    "student" or "teacher". rounds: Adam steps of the inner problem (R), rate inner_lr.
    init_sigma: delta starts as N(0, init_sigma**2). l2: weight of ||delta||**2. n_terms:
    terms of the fixed point (K), tol its early stop. map_step: step of the inner map.
    reduction: "mean" (sum/(B K)) or "batch" (sum/B, times tau**2). detach: whether S(x)
    is a constant in the outer loss. bn: which of SR's forwards of the student move
    BatchNorm's running statistics: "reference" all of the reference program's, in its
    order, "outer" the forward with delta in the outer loss alone, "clean" none. All
    normalise by their batch.
    """

    portion: float
    weight: float
    tau: float
    perturb: str
    rounds: int
    inner_lr: float
    init_sigma: float
    l2: float
    l2_in_synthesis: bool
    n_terms: int
    tol: float
    map_step: float
    reduction: str
    detach: bool
    bn: str

    def __post_init__(self) -> None:
        """Raise ValueError for a word that is none of those above, or a share beyond 1."""
        for name, known in WORDS.items():
            if (got := getattr(self, name)) not in known:
                raise ValueError(f"{name}: expected {' or '.join(known)}, got {got!r}")
        if not 0 < self.portion <= 1:
            raise ValueError(f"portion: expected a share, 0 to 1, got {self.portion}")


def tracking(net: nn.Module) -> list[_BatchNorm]:
    """The BatchNorm layers of a network that record the statistics of their batches."""
    return [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


@contextmanager
def running_stats(layers: Iterable[_BatchNorm], *, recorded: bool) -> Iterator[None]:
    """Let layers in train mode record the statistics of their batches, or not."""
    before = [(layer, layer.track_running_stats) for layer in layers]
    try:
        for layer, _ in before:
            layer.track_running_stats = recorded
        yield
    finally:
        for layer, tracked in before:
            layer.track_running_stats = tracked


class SelfRetrospection:
    """One SR step: gives what to add to the distillation gradient.

    `teacher` must be frozen and in eval mode.
    """

    def __init__(self, settings: RetrospectionSettings, teacher: nn.Module) -> None:
        self.settings = settings
        self.teacher = teacher

    def __call__(
        self, student: nn.Module, x: Tensor, stream: torch.Generator
    ) -> list[Tensor | None]:
        """Return the SR gradient of every student parameter that learns, in their order.

        None where it has none, which is out of the loss's reach.

        The student must be in train mode; x: (B, 3, H, W).
        Only BatchNorm's running statistics change, and not with bn "clean".
        Raises AbdError where a layer of the student cannot be differentiated twice.
        """
        gradients, _ = self._solve(student, x, stream)
        return gradients

    @contextmanager
    def step(
        self, student: nn.Module, x: Tensor, stream: torch.Generator
    ) -> Iterator[list[Tensor | None]]:
        """Give the SR gradient to a block that makes the distillation step's forward.

        With bn "reference" the running statistics then move as by the forwards of that
        program's log, which do nothing else; in float32, as all of self-retrospection.
        """
        gradients, logged = self._solve(student, x, stream)
        yield gradients
        if self.settings.bn == "reference":
            with _wide(x):
                for forward in logged:
                    forward.again()

    def _solve(
        self, student: nn.Module, x: Tensor, stream: torch.Generator
    ) -> tuple[list[Tensor | None], tuple[Repeated, Repeated]]:
        """The SR gradient; the forwards of the batch, and of it with delta on a share.

        Never in bfloat16: the first delta changes the logits by less than its rounding.
        """
        s = self.settings
        layers = tracking(student)
        with _wide(x), running_stats(layers, recorded=s.bn == "reference"):
            clean = Repeated(student, x)
            perturbed = clean if s.perturb == "student" else Repeated(self.teacher, x)
            delta = self._perturbation(perturbed, stream).requires_grad_()
            n_patched = max(1, int(s.portion * len(x)))
            mask = torch.zeros(len(x), 1, 1, 1)
            mask[torch.randperm(len(x), generator=stream)[:n_patched]] = 1
            patched = Repeated(student, x + delta * mask.to(x.device))
            gradients = self._hypergradient(clean, patched, delta, layers)
            return gradients, (clean, patched)

    def perturbation(
        self, student: nn.Module, x: Tensor, stream: torch.Generator
    ) -> Tensor:
        """Solve the inner problem: the universal perturbation delta (3, H, W).

        Adam from N(0, init_sigma**2): zero is a stationary point of the divergence.
        """
        net = student if self.settings.perturb == "student" else self.teacher
        return self._perturbation(Repeated(net, x), stream)

    def _perturbation(self, clean: Repeated, stream: torch.Generator) -> Tensor:
        s = self.settings
        net, x = clean.net, clean.x
        delta = s.init_sigma * torch.randn(x.shape[1:], generator=stream)
        delta = delta.to(x.device).requires_grad_()
        optimizer = Adam([delta], s.inner_lr)
        l2 = s.l2 if s.l2_in_synthesis else 0.0
        p = clean.again()
        with frozen_parameters(net):
            for i in range(s.rounds):
                if i and s.bn == "reference":
                    p = clean.again()
                loss = l2 * delta.square().sum() - self._divergence(p, net(x + delta))
                (delta.grad,) = torch.autograd.grad(loss, delta)
                optimizer.step()
        return delta.detach()

    def _hypergradient(
        self,
        clean: Repeated,
        patched: Repeated,
        delta: Tensor,
        layers: Sequence[_BatchNorm],
    ) -> list[Tensor | None]:
        s = self.settings
        student, x = clean.net, clean.x
        p = clean.again() if s.detach else clean()
        with running_stats(layers, recorded=s.bn != "clean"):
            outer = self._divergence(p, patched())

        p = clean.again() if s.bn == "reference" else p.detach()
        with quick_second_order(student):
            moved = student(x + delta)
        inner = s.l2 * delta.square().sum() - self._divergence(p, moved)
        with second_order_checked():
            slope = gradient_with_graph(inner, delta)
            phi = delta - s.map_step * slope
            params = learning(student)
            gradients = hypergradient(outer, phi, delta, params, s.n_terms, s.tol)
        return [None if g is None else s.weight * g for g in gradients]

    def _divergence(self, p_logits: Tensor, q_logits: Tensor) -> Tensor:
        tau = self.settings.tau
        if self.settings.reduction == "batch":
            return tau**2 * batch_kl(p_logits, q_logits, tau)
        return mean_kl(p_logits, q_logits, tau)


def _wide(x: Tensor) -> torch.autocast:
    """A context without autocast to a shorter type."""
    return torch.autocast(x.device.type, enabled=False)
