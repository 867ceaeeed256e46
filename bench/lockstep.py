"""A cycle of ours against the reference's from the same state, cycle after cycle.

Two runs of their own drift apart, as training makes much of rounding. Here ours takes the
reference's networks and optimizers over before every cycle, so that each cycle's difference
is what that cycle computes otherwise.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from abd.distillation import Distillation
from abd.sources.zskt import ZsktSource
from bench.reference import ReferenceZskt


def lockstep(
    run: Distillation, reference: ReferenceZskt, n_cycles: int
) -> dict[str, float]:
    """The worst relative differences of `n_cycles`, of losses and BatchNorm statistics.

    Both begin at cycle 0, in the precision that this process has; the reference runs in
    float32.
    """
    source = run.source
    assert isinstance(source, ZsktSource)
    losses, statistics = [], []
    for i in range(n_cycles):
        _take_over(run.student, run.optimizer, reference.student, reference.opt_s)
        _take_over(
            source.generator,
            source.generator_optimizer,
            reference.generator,
            reference.opt_g,
        )
        (record,) = run.run(i + 1)
        assert record is not None
        with torch.autocast("cpu", enabled=False):
            loss = reference.cycle(i)
        losses.append(abs(record.values["loss"] / loss - 1))
        mine, theirs = (statistics_of(net) for net in (run.student, reference.student))
        statistics.append(float((mine - theirs).norm() / theirs.norm()))
    return {"worst_loss": max(losses), "worst_batchnorm_statistics": max(statistics)}


def statistics_of(student: nn.Module) -> torch.Tensor:
    """All of a network's running statistics, side by side."""
    return torch.cat([b.flatten() for b in student.buffers() if b.is_floating_point()])


@torch.no_grad()
def _take_over(
    ours: nn.Module, optimizer: Optimizer, theirs: nn.Module, their_optimizer: Optimizer
) -> None:
    """Copy weights, statistics and Adam's moments of the names that both networks have."""
    given = theirs.state_dict()
    ours.load_state_dict({name: given[name] for name in ours.state_dict()})
    their_parameters = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        for key, moment in their_optimizer.state.get(their_parameters[name], {}).items():
            optimizer.state[parameter][key].copy_(moment)
