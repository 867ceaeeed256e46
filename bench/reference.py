"""A plain re-statement of the reference program's ZSKT loop, the peer of ours.

Everything is computed anew in each of its steps: the generator's images, the teacher's
answers, gradients into the generator and the teacher (method section 5.2, the notes on
the ABD program).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from abd.losses import attention_transfer
from abd.nets.taps import tap_names, tapped
from abd.shuffling import ShuffledTeacher, stability

CLIP = 5.0
AT_BETA = 250.0


def mean_kl(p: Tensor, q: Tensor, tau: float = 1.0) -> Tensor:
    """Torch's own KL(P||Q), divided by batch and classes."""
    kl = F.kl_div((q / tau).log_softmax(1), (p / tau).softmax(1), reduction="sum")
    return kl / q.numel()


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
        self.teacher, self.student, self.generator = teacher, student, generator
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
        logits, taps = tapped(self.teacher, x, self.names)
        answers, own = tapped(self.student, x, self.names)
        attention = [attention_transfer(a, b) for a, b in zip(own, taps, strict=True)]
        loss = mean_kl(logits, answers) + AT_BETA * torch.stack(attention).sum()
        self._step(self.opt_s, loss, self.student)
        return loss.detach()

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: Tensor, net: nn.Module) -> None:
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
