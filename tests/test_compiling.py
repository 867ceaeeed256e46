"""Compiled steps of training: what the plain ones compute, and the same bits again."""

import copy
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import count

import pytest
import torch
from torch import nn

from abd.compiling import Compiled
from abd.errors import AbdError
from tests.runs import different, finish, make_run, wrn

pytestmark = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None,
    reason="this machine has no C++ compiler",
)


@pytest.fixture
def make(teacher):
    return partial(make_run, teacher=teacher, device=torch.device("cpu"))


def tiny(stream):
    """As small a network as has all that is compiled together."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream.initial_seed())
        return nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(784, 4),
        )


def _doubled(tensor):
    return tensor.double() if tensor.is_floating_point() else tensor


def _batch_of(run):
    """The first batch that the student learns from, in double precision."""
    batch = next(
        batch
        for index in count()
        for batch in run.source.batches(index, run.student.train())
        if batch.repeats
    )
    return replace(
        batch,
        x=batch.x.double(),
        teacher_logits=batch.teacher_logits.double(),
        teacher_maps=tuple(map(_doubled, batch.teacher_maps)),
    )


@pytest.mark.parametrize(
    ("kind", "net"),
    [("zskt", wrn), ("clean", tiny), ("ood with a vaccine", tiny), ("cmi", tiny)],
)
def test_a_compiled_loss_is_the_plain_one(kind, net, make):
    """With its gradient, and the statistics that BatchNorm keeps."""
    run = make(kind, net=net)
    batch, quick, plain = _batch_of(run), run.student.double(), copy.deepcopy(run.student)
    losses = (Compiled(run.source.loss)(quick, batch), run.source.loss(plain, batch))
    for loss in losses:
        loss.backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9)
    for ours, theirs in zip(quick.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-9)
    for ours, theirs in zip(quick.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_compiled_training_is_the_plain_one(make):
    def trained(compiled):
        run = make("teacher", net=tiny, compiled=compiled)
        single = run.normalize
        run.normalize = lambda pixels: single(pixels).double()
        run.net.double()
        return finish(run, 2)

    (losses, quick), (plain_losses, plain) = trained(True), trained(False)
    assert losses == pytest.approx(plain_losses, rel=1e-9)
    for name, tensor in plain.items():
        torch.testing.assert_close(quick[name], tensor, rtol=1e-7, atol=1e-10)


def test_a_compiled_run_gives_the_same_bits_wherever_it_was_stopped(make):
    """And the losses of the plain one, but for rounding."""
    losses, unbroken = finish(make("ood", net=tiny, compiled=True), 4)
    before, after = (make("ood", net=tiny, compiled=True) for _ in range(2))
    finish(before, 2)
    after.load(copy.deepcopy(before.state()))
    _, broken = finish(after, 4)
    assert not different(unbroken, broken)
    assert losses != finish(make("ood", net=tiny), 4)[0] == pytest.approx(losses, rel=1e-2)


def test_what_cannot_be_compiled_is_said_in_a_line():
    with pytest.raises(
        AbdError, match=r"^params.yaml: numerics.compile: expected"
    ) as error:
        Compiled(lambda x: x if x.sum() > 0 else -x)(torch.ones(3))
    assert "\n" not in str(error.value)


def test_a_missing_compiler_is_said_in_a_line(tmp_path):
    program = (
        "import torch\n"
        "from abd.compiling import Compiled\n"
        "from abd.errors import AbdError\n"
        "try: Compiled(lambda x: x.sin() + 1)(torch.ones(4))\n"
        "except AbdError as error: print(error)\n"
    )
    environment = {
        **os.environ,
        "CXX": "no-such-compiler",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
    }
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = result.stdout.splitlines()
    assert "numerics.compile" in line
    assert "no-such-compiler" in line
