"""On a GPU: the same bits again, and a graph that is the loop it was recorded from."""

import copy

import pytest
import torch

from abd.distillation import Distillation
from abd.nets import build_net
from abd.seeding import torch_stream
from tests.test_sources import build_source

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no CUDA device"
)
DEVICE = torch.device("cuda")


@pytest.fixture
def make(teacher, normalize):
    def make(*, graphed):
        source = build_source(
            "zskt", {"patches": [], "x_train": []}, copy.deepcopy(teacher).to(DEVICE),
            normalize, device=DEVICE, graphed=graphed,
        )  # fmt: skip
        student = build_net("wrn-10-1", 4, torch_stream(0, "student")).to(DEVICE)
        return Distillation(student, source, seed=0, log_every=2, graphed=graphed)

    return make


def _run(distillation, stop):
    records = [r.values for r in distillation.run(stop) if r is not None]
    return records, {k: v.clone() for k, v in distillation.state().tensors.items()}


@pytest.mark.parametrize("graphed", [False, True])
def test_a_run_gives_the_same_bits_again(graphed, make):
    (_, first), (_, second) = (_run(make(graphed=graphed), 8) for _ in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_a_graph_is_the_loop_that_it_was_recorded_from(make):
    """It replays from the fifth cycle on; what it computes is what eager cycles do."""
    (losses, graph), (plain_losses, plain) = (
        _run(make(graphed=graphed), 12) for graphed in (True, False)
    )
    for ours, theirs in zip(losses, plain_losses, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    for name, tensor in plain.items():
        assert torch.allclose(graph[name], tensor, rtol=1e-3, atol=1e-4), name


def test_a_graph_goes_on_from_a_state(make):
    _, unbroken = _run(make(graphed=True), 10)
    before = make(graphed=True)
    _run(before, 6)
    state = copy.deepcopy(before.state())
    after = make(graphed=True)
    after.load(state)
    _, broken = _run(after, 10)
    assert after.position == 10
    for name, tensor in unbroken.items():
        assert torch.allclose(broken[name], tensor, rtol=1e-3, atol=1e-4), name
