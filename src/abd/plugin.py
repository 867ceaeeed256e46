"""Both remedies for a distillation loop of one's own: what abd promises to keep stable.

Neither knows where the images come from. `docs/plug-in.md` shows them in a plain loop; what
a name here takes and gives changes with a deprecation only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from abd.gradients import add_gradients, learning
from abd.retrospection import RetrospectionSettings
from abd.retrospection import SelfRetrospection as _Step
from abd.seeding import torch_stream
from abd.shuffling import (
    Permutations,
    ShuffledTeacher,
    agreement,
    draw_trial,
    sample_weights,
    stability,
)
from abd.vaccine import first_accepted, score_tail, score_trials

__all__ = ["SelfRetrospection", "ShufflingVaccine"]

# Those of params.yaml for ZSKT, but for `bn`: "reference" is of that program's own loop.
CONSTANTS: dict[str, Any] = {
    "portion": 0.02,
    "weight": 1.0,
    "tau": 1.0,
    "perturb": "student",
    "rounds": 10,
    "inner_lr": 0.1,
    "init_sigma": 0.01,
    "l2": 0.001,
    "l2_in_synthesis": True,
    "n_terms": 5,
    "tol": 1e-10,
    "map_step": 0.1,
    "reduction": "mean",
    "detach": True,
    "bn": "outer",
}


class ShufflingVaccine:
    """Tells images on which a teacher's answer survives shuffled channels (section 6).

    teacher: any module with convolutions, frozen and in eval mode; inputs are what it
    takes, (B, 3, H, W). n_conv: of its last convolutions, how many are shuffled; members:
    of the ensemble. Raises ValueError where the teacher has fewer convolutions, or is in
    train mode.
    """

    def __init__(
        self, teacher: nn.Module, *, n_conv: int = 5, members: int = 3, seed: int = 0
    ) -> None:
        _check_teacher(teacher)
        trial = draw_trial(teacher, n_conv, members, torch_stream(seed, "vaccine", 0))
        self._ensemble = ShuffledTeacher(teacher, trial)

    @classmethod
    def search(
        cls,
        teacher: nn.Module,
        batches: Iterable[Tensor],
        *,
        trials: int = 8,
        threshold: float = 0.02,
        n_conv: int = 5,
        members: int = 3,
        seed: int = 0,
    ) -> ShufflingVaccine | None:
        """The first draw whose score has a heavy lower tail (section 6.5); None without it.

        batches: surrogate inputs (B, 3, H, W), some thousand in all. threshold: the share
        of them that must lie more than three deviations below the mean. Raises ValueError
        as the constructor, and where there is no trial or no batch.
        """
        _check_teacher(teacher)
        if trials < 1:
            raise ValueError(f"trials: expected at least 1, got {trials}")
        drawn = [
            draw_trial(teacher, n_conv, members, torch_stream(seed, "vaccine", trial))
            for trial in range(trials)
        ]
        # One after the other: a generator's may not fit into memory together.
        waiting = (x for x in batches if len(x))
        first = next(waiting, None)
        if first is None:
            raise ValueError("batches: expected surrogate inputs, got none")
        scores = score_trials(teacher, drawn, chain([first], waiting))
        tails = [score_tail(row, torch.ones_like(row)) for row in scores]
        accepted = first_accepted(tails, threshold)
        return None if accepted is None else cls._of(teacher, drawn[accepted])

    @classmethod
    def _of(cls, teacher: nn.Module, members: list[Permutations]) -> ShufflingVaccine:
        vaccine = cls.__new__(cls)
        vaccine._ensemble = ShuffledTeacher(teacher, members)
        return vaccine

    @torch.no_grad()
    def suspicious(self, x: Tensor) -> Tensor:
        """Mask (B,) of the inputs x (B, 3, H, W) whose prediction survives (phi)."""
        return agreement(*self._ensemble(x))

    def weights(self, x: Tensor, suspicious_weight: float = 0.1) -> Tensor:
        """Weights (B,) for the sample losses of inputs x: less for suspicious ones.

        The paper's 1 - phi + phi / alpha with suspicious_weight = 1 / alpha (section 6.4).
        """
        return sample_weights(self.suspicious(x), suspicious_weight)

    def generator_term(self, x: Tensor, alpha: float = 0.1) -> Tensor:
        """A scalar to add to the loss of a generator that made x (section 6.3).

        Its gradient leads to images on which teacher and shuffled teacher differ.
        """
        return -alpha * stability(*self._ensemble(x))


class SelfRetrospection:
    """Has a student find and unlearn its own universal perturbation (section 7).

    teacher: frozen, in eval mode. `constants` are those of
    `abd.retrospection.RetrospectionSettings`; those left out are the study's for ZSKT,
    but that BatchNorm learns from the outer forward alone.
    Raises ValueError for a name or a value that is none, or a teacher in train mode.
    """

    def __init__(self, teacher: nn.Module, *, seed: int = 0, **constants: Any) -> None:
        _check_teacher(teacher)
        known = [field.name for field in fields(RetrospectionSettings)]
        if unknown := constants.keys() - set(known):
            raise ValueError(
                f"constants: expected {', '.join(known)}, got {', '.join(sorted(unknown))}"
            )
        settings = RetrospectionSettings(**{**CONSTANTS, **constants})
        self._step = _Step(settings, teacher)
        self._seed = seed

    def add_gradients(self, student: nn.Module, x: Tensor, *, step: int) -> None:
        """Add the hypergradient on inputs x (B, 3, H, W) to the student's gradients.

        Call it between `loss.backward()` and the optimizer's step, the student in train
        mode, in the last rounds of a distillation. Its draws are those of `step`, so that a
        loop that was stopped goes on as if it had not been. Of BatchNorm's running
        statistics it moves what `bn` says. Parameters that require no gradients get none.
        Raises ValueError where the student is in eval mode or has none that do, AbdError
        where a layer of it cannot be differentiated twice.
        """
        if not student.training:
            raise ValueError("student: expected one in train mode; call student.train()")
        if not learning(student):
            raise ValueError(
                "student: expected parameters that require gradients, got none"
            )
        stream = torch_stream(self._seed, "retrospection", step)
        add_gradients(student, self._step(student, x, stream))


def _check_teacher(teacher: nn.Module) -> None:
    """ValueError where looking at a teacher would change it, or what it answers."""
    if teacher.training or any(p.requires_grad for p in teacher.parameters()):
        raise ValueError(
            "teacher: expected one that is frozen and in eval mode; call "
            "teacher.eval().requires_grad_(False)"
        )
