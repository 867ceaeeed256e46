"""What ZSKT's cycle and its peer in the bench compute, counted: convolutions and products."""

import pytest
import torch
from bench import zskt
from torch.utils.flop_counter import FlopCounterMode

from abd.nets.folding import folded

N_IMAGES = 2


def _mmac(cycle):
    """Millions of multiply-accumulates per image."""
    with FlopCounterMode(display=False) as counter:
        cycle()
    counted = counter.get_flop_counts()["Global"]
    # The kernels of the doublings, which are made once a forward, however many its images.
    counted.pop(torch.ops.aten.bmm, None)
    return sum(counted.values()) / 2 / 1e6 / N_IMAGES


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    monkeypatch.setattr(zskt, "BATCH", N_IMAGES)
    teacher = zskt.teacher_net()
    monkeypatch.setattr(zskt, "teacher_net", lambda: teacher)


def test_the_peer_computes_what_the_reference_program_does():
    """No less, and no more, which would make ours look fast (method section 10.2)."""
    assert _mmac(zskt.reference()) == pytest.approx(6007.6, abs=0.05)


def test_a_cycle_computes_the_least():
    run = zskt.distillation(folded(zskt.teacher_net()))
    least = zskt.CYCLE_FLOP / 2 / 1e6 / 128
    assert _mmac(lambda: list(run.run(1))) == pytest.approx(least, abs=0.05)
