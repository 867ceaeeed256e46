"""A plain re-statement of the reference program's ZSKT, the peer of ours.

Everything is computed anew in each of its steps: the generator's images, the teacher's
answers, the gradients of the generator, and in the generator's step those of the teacher's
weights, which nobody takes (method sections 5.2 and 10.2).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.nets.doubling import DoublingConv2d
from abd.nets.generators import Generator
from abd.nets.taps import tap_names, tapped
from abd.shuffling import ShuffledTeacher, stability

CLIP = 5.0
AT_BETA = 250.0


def mean_kl(p: Tensor, q: Tensor, tau: float = 1.0) -> Tensor:
    """Torch's own KL(P||Q), divided by batch and classes."""
    kl = F.kl_div((q / tau).log_softmax(1), (p / tau).softmax(1), reduction="sum")
    return kl / q.numel()


def attention(x: Tensor) -> Tensor:
    """A layer's attention map, the channel mean of squares scaled to norm 1."""
    return F.normalize(x.pow(2).mean(1).view(len(x), -1))


class ReferenceGenerator(nn.Module):
    """ZSKT's generator with its doublings written out, and a bias to every convolution."""

    def __init__(self, like: Generator) -> None:
        super().__init__()
        self.linear = copy.deepcopy(like.linear)
        self.start = like.start
        layers = [_written_out(layer) for layer in like.layers]
        self.layers = nn.Sequential(*layers)
        self.last = copy.deepcopy(like.last)

    def forward(self, z: Tensor) -> Tensor:
        """Return images of noise (B, nz)."""
        h = self.linear(z).view(len(z), -1, self.start, self.start)
        images: Tensor = self.last(self.layers(h))
        return images


class UpsampledConv2d(nn.Conv2d):
    """A doubled map, convolved."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of the doubled map."""
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


def _written_out(layer: nn.Module) -> nn.Module:
    if not isinstance(layer, nn.Conv2d):
        return copy.deepcopy(layer)
    kind = UpsampledConv2d if isinstance(layer, DoublingConv2d) else nn.Conv2d
    plain = kind(layer.in_channels, layer.out_channels, 3, padding=1)
    with torch.no_grad():
        plain.weight.copy_(layer.weight)
    return plain.to(layer.weight.dtype)


def reference_generator(like: Generator) -> ReferenceGenerator:
    """The reference's generator with the weights of ours, its biases drawn anew."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ReferenceGenerator(like).to(memory_format=torch.contiguous_format)


class ReferenceZskt:
    """Runs cycles of ZSKT as the reference program does."""

    def __init__(
        self,
        teacher: nn.Module,
        student: nn.Module,
        generator: nn.Module,
        *,
        noise: Callable[[int], Tensor],
        rounds: int,
        student_steps: int = 10,
        lr_generator: float = 1e-3,
        lr: float = 2e-3,
        vaccine: ShuffledTeacher | None = None,
        alpha: float = 0.1,
    ) -> None:
        self.teacher = copy.deepcopy(teacher).requires_grad_()
        self.student, self.generator = student, generator
        self.noise, self.student_steps = noise, student_steps
        self.vaccine, self.alpha = vaccine, alpha
        self.opt_g = torch.optim.Adam(generator.parameters(), lr_generator)
        self.opt_s = torch.optim.Adam(student.parameters(), lr)
        self.schedules = [
            torch.optim.lr_scheduler.CosineAnnealingLR(o, rounds)
            for o in (self.opt_g, self.opt_s)
        ]
        self.names = tap_names(teacher)

    def cycle(self, index: int) -> float:
        """Run one cycle; return the mean loss of its student steps."""
        z = self.noise(index)
        self.student.train()
        x = self.generator(z)
        logits = self.teacher(x)
        loss = -mean_kl(logits, self.student(x))
        if self.vaccine is not None:
            loss = loss - self.alpha * stability(logits, self.vaccine(x)[1])
        self._step(self.opt_g, loss, self.generator)
        losses = [self._student_step(z) for _ in range(self.student_steps)]
        for schedule in self.schedules:
            schedule.step()
        return float(torch.stack(losses).mean())

    def _student_step(self, z: Tensor) -> Tensor:
        x = self.generator(z)
        with torch.no_grad():
            logits, taps = tapped(self.teacher, x, self.names)
        answers, own = tapped(self.student, x, self.names)
        loss = mean_kl(logits, answers)
        for a, b in zip(own, taps, strict=True):
            loss = loss + AT_BETA * (attention(a) - attention(b)).pow(2).mean()
        self._step(self.opt_s, loss, self.student)
        return loss.detach()

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: Tensor, net: nn.Module) -> None:
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
