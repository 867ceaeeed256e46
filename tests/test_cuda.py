"""On a GPU: the same bits again, and a graph that is the work it was recorded from.

Without a graph the optimizers round otherwise (tests/test_optim.py), and training makes
much of that: those runs are not compared.
"""

import copy

import numpy as np
import pytest
import torch

from abd import cuda_graph
from abd.distillation import Distillation
from abd.nets import build_net
from abd.optim import OptimizerSpec
from abd.pixels import to_pixels
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, draw_trial
from abd.training import Training
from tests.test_sources import build_source

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no CUDA device"
)
DEVICE = torch.device("cuda")
KINDS = ["clean", "ood", "zskt", "zskt with a vaccine", "ood with a vaccine", "teacher"]
N_CYCLES = 12  # three of each shape are done as they stand, then they are replayed


def _on_device(net):
    return net.to(device=DEVICE, memory_format=torch.channels_last)


@pytest.fixture
def make(teacher, normalize, rng):
    """A run of any kind of work that can be recorded."""
    images = rng.integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)
    labels = rng.integers(0, 4, 40)
    pool = {"patches": images, "x_train": images, "y_train": labels}

    def training(*, graphed):
        return Training(
            _on_device(build_net("wrn-10-1", 4, torch_stream(0, "net"))),
            to_pixels(images).to(DEVICE), torch.from_numpy(labels).to(DEVICE), normalize,
            OptimizerSpec("sgd", cosine(0.1, N_CYCLES), 0.9, 5e-4), seed=0, batch=16,
            crop_pad=2, hflip=True, judge=lambda net: {}, select_best=False, graphed=graphed,
        )  # fmt: skip

    def make(kind, *, graphed):
        if kind == "teacher":
            return training(graphed=graphed)
        mine = _on_device(copy.deepcopy(teacher))
        vaccine = None
        if "vaccine" in kind:
            vaccine = ShuffledTeacher(mine, draw_trial(mine, 2, 3, torch_stream(0, "v")))
        source = build_source(
            kind.split()[0], pool, mine, normalize, device=DEVICE, graphed=graphed,
            vaccine=vaccine,
        )  # fmt: skip
        student = _on_device(build_net("wrn-10-1", 4, torch_stream(0, "student")))
        return Distillation(student, source, seed=0, log_every=2, graphed=graphed)

    return make


def _run(run, stop):
    records = [r.values["loss"] for r in run.run(stop) if r is not None]
    return records, {k: v.clone() for k, v in run.state().tensors.items()}


def _assert_same(ones, others):
    assert ones.keys() == others.keys()
    different = [k for k in ones if not torch.equal(ones[k], others[k])]
    assert not different


@pytest.mark.parametrize("kind", KINDS)
class TestGraph:
    @pytest.mark.parametrize("graphed", [False, True])
    def test_a_run_gives_the_same_bits_again(self, kind, graphed, make):
        first, second = (_run(make(kind, graphed=graphed), N_CYCLES)[1] for _ in range(2))
        _assert_same(first, second)

    def test_a_replay_is_the_work_that_was_recorded(self, kind, make, monkeypatch):
        losses, replayed = _run(make(kind, graphed=True), N_CYCLES)
        monkeypatch.setattr(cuda_graph, "N_EAGER", 1000)
        plain_losses, done = _run(make(kind, graphed=True), N_CYCLES)
        assert losses == plain_losses
        _assert_same(replayed, done)

    def test_going_on_from_a_state_gives_the_same_bits(self, kind, make):
        _, unbroken = _run(make(kind, graphed=True), N_CYCLES)
        before, after = make(kind, graphed=True), make(kind, graphed=True)
        _run(before, 6)
        after.load(copy.deepcopy(before.state()))
        _, broken = _run(after, N_CYCLES)
        assert after.position == N_CYCLES
        _assert_same(unbroken, broken)
