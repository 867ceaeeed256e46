"""Compiled steps of training: what the plain ones compute, and the same bits again."""

import copy
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import count

import pytest
import torch
from torch import nn

from abd.compiler import compiler
from abd.compiling import compiled_with_gradient, with_gradient
from abd.errors import AbdError
from abd.metrics import eval_mode
from abd.nets import build_net
from abd.nets.taps import tap_names, tapped
from tests.runs import can_compile, different, finish, make_run, wrn

needs_compiler = pytest.mark.skipif(
    not can_compile(), reason="this machine lacks a C++ compiler or Python's headers"
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


@needs_compiler
@pytest.mark.parametrize(
    ("kind", "net"),
    [("zskt", wrn), ("clean", tiny), ("ood with a vaccine", tiny), ("cmi", tiny)],
)
def test_a_compiled_loss_is_the_plain_one(kind, net, make):
    """With its gradient, and the statistics that BatchNorm keeps."""
    run = make(kind, net=net)
    batch, quick, plain = _batch_of(run), run.student.double(), copy.deepcopy(run.student)
    losses = [
        learning(run.source.loss)(student, batch)
        for learning, student in (
            (compiled_with_gradient, quick),
            (with_gradient, plain),
        )
    ]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9)
    for ours, theirs in zip(quick.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-9)
    for ours, theirs in zip(quick.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["wrn-10-1", "resnet-18"])
@pytest.mark.parametrize("compared", [True, False])
def test_a_compiler_can_follow_every_network_to_its_taps(name, compared, stream):
    """As one piece; what is made of it then does not matter here."""
    net = build_net(name, 4, stream)
    names = tap_names(net) if compared else []
    x = torch.randn(2, 3, 32, 32, generator=stream)
    follow = torch.compile(tapped, backend="eager", fullgraph=True)
    logits, outputs = follow(net.eval(), x, names)
    assert torch.equal(logits, net(x))
    assert len(outputs) == len(names)


@needs_compiler
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


@needs_compiler
def test_a_compiled_run_gives_the_same_bits_wherever_it_was_stopped(make):
    """And whether it was looked at; its losses are the plain one's but for rounding."""
    losses, unbroken = finish(make("ood", net=tiny, compiled=True), 4)
    before, after = (make("ood", net=tiny, compiled=True) for _ in range(2))
    for _ in before.run(2):
        with eval_mode(before.student), torch.no_grad():
            before.student(torch.zeros(1, 3, 16, 16))
    after.load(copy.deepcopy(before.state()))
    _, broken = finish(after, 4)
    assert not different(unbroken, broken)
    assert losses != finish(make("ood", net=tiny), 4)[0] == pytest.approx(losses, rel=1e-2)


@needs_compiler
def test_what_cannot_be_compiled_is_said_in_a_line():
    learn = compiled_with_gradient(lambda w: w.sum() if w.sum() > 0 else -w.sum())
    with pytest.raises(AbdError, match="got Data-dependent") as error:
        learn(torch.ones(3, requires_grad=True))
    assert "\n" not in str(error.value)


@needs_compiler
def test_batches_of_ever_other_shapes_are_refused(monkeypatch):
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 1)
    learn = compiled_with_gradient(lambda w: w.square().sum())
    learn(torch.ones(3, requires_grad=True))
    with pytest.raises(AbdError, match="got batches of too many different shapes"):
        learn(torch.ones(4, requires_grad=True))


@needs_compiler
def test_what_the_compiler_complains_of_is_said_in_a_line(tmp_path):
    """Of the gradient, too, which is compiled when it is first wanted."""
    calls, fake = tmp_path / "calls", tmp_path / "c++"
    fake.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *.main.cpp*) ;; *) exec {compiler()} "$@";; esac\n'
        f"echo >> {calls}\n"
        f'[ $(wc -l < {calls}) = 1 ] && exec {compiler()} "$@"\n'
        "echo 'x.cpp:1:10: fatal error: Python.h: No such file or directory' >&2\n"
        "exit 1\n"
    )
    fake.chmod(0o755)
    (line,) = _in_a_process(
        "learn = compiled_with_gradient(lambda w: (w.sin() * w.exp()).sum())\n"
        "try: learn(torch.ones(4, requires_grad=True))\n"
        "except AbdError as error: print(error)\n",
        CXX=str(fake),
        TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert "got x.cpp:1:10: fatal error: Python.h: No such file" in line
    assert len(calls.read_text()) == 2, "the loss was compiled"


def test_a_missing_compiler_is_said_in_a_line():
    (line,) = _in_a_process(
        "try: compiled_with_gradient(torch.sum)\nexcept AbdError as error: print(error)\n",
        CXX="no-such-compiler",
    )
    assert "numerics.compile" in line
    assert "got no command no-such-compiler" in line


def _in_a_process(program, **environment):
    """The lines that a program prints which has a compiler of its own."""
    head = (
        "import torch\n"
        "from abd.compiling import compiled_with_gradient\n"
        "from abd.errors import AbdError\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()
