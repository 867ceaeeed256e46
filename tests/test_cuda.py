"""On a GPU: the same bits again, and a graph that is the work it was recorded from.

Without a graph the optimizers round otherwise (tests/test_optim.py), and training makes
much of that: those runs are not compared.
"""

import copy
from functools import partial

import pytest
import torch

from abd import cuda_graph
from abd.repeated import Repeated
from tests.runs import KINDS, N_CYCLES, different, finish, make_run

# Of each shape the first three cycles are done as they stand, then they are replayed.
assert N_CYCLES > 2 * cuda_graph.N_EAGER

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no CUDA device"
)


@pytest.fixture
def make(teacher):
    return partial(make_run, teacher=teacher, device=torch.device("cuda"))


@pytest.mark.parametrize("kind", KINDS)
class TestGraph:
    @pytest.mark.parametrize("graphed", [False, True])
    def test_a_run_gives_the_same_bits_again(self, kind, graphed, make):
        first, second = (finish(make(kind, graphed=graphed), N_CYCLES)[1] for _ in range(2))
        assert not different(first, second)

    def test_a_replay_is_the_work_that_was_recorded(self, kind, make, monkeypatch):
        losses, replayed = finish(make(kind, graphed=True), N_CYCLES)
        monkeypatch.setattr(cuda_graph, "N_EAGER", 1000)
        plain_losses, done = finish(make(kind, graphed=True), N_CYCLES)
        assert losses == plain_losses
        assert not different(replayed, done)

    def test_going_on_from_a_state_gives_the_same_bits(self, kind, make):
        _, unbroken = finish(make(kind, graphed=True), N_CYCLES)
        before, after = make(kind, graphed=True), make(kind, graphed=True)
        finish(before, 6)
        after.load(copy.deepcopy(before.state()))
        _, broken = finish(after, N_CYCLES)
        assert after.position == N_CYCLES
        assert not different(unbroken, broken)


def test_dropout_is_computed_each_time():
    repeated = Repeated(torch.nn.Dropout(0.5), torch.ones(1, 64, device="cuda"))
    assert not torch.equal(repeated.again(), repeated.again())
