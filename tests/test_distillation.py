"""The loop: its records, and that it goes on as if it had never stopped."""

import copy
import dataclasses
import random
from itertools import islice

import numpy as np
import pytest
import torch

from abd.config.sources import SOURCES
from abd.distillation import Distillation
from abd.diversity import effective_classes
from abd.errors import AbdError
from abd.metrics import EvalSet, evaluate
from abd.nets import build_net
from abd.nets.generators import Generator
from abd.optim import OptimizerSpec
from abd.retrospection import SelfRetrospection
from abd.schedules import cosine
from abd.seeding import torch_stream
from abd.stages.load import use_numerics
from abd.surrogate import CachingSource
from tests.runs import KINDS, make_run
from tests.test_retrospection import SETTINGS as SR
from tests.test_sources import build_source


@pytest.fixture
def pool(rng):
    return {
        "patches": rng.integers(0, 256, (40, 16, 16, 3)).astype(np.uint8),
        "x_train": rng.integers(0, 256, (80, 16, 16, 3)).astype(np.uint8),
        "y_train": rng.integers(0, 4, 80),
    }


@pytest.fixture
def make(teacher, normalize, pool):
    def make(name="ood", retrospection=False, bn="clean", **options):
        source = build_source(name, pool, teacher, normalize)
        if retrospection:
            sr = SelfRetrospection(dataclasses.replace(SR, rounds=2, bn=bn), teacher)
            options["extra"] = sr.step
            options["optimizer"] = source.optimizer.restarted(cosine(1e-3, 10))
        student = build_net("wrn-10-1", 4, torch_stream(0, "student"))
        return Distillation(student, source, seed=0, log_every=3, **options)

    return make


def _bits(distillation):
    return {k: v.clone() for k, v in distillation.state().tensors.items()}


def _same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", SOURCES.names())
@pytest.mark.parametrize("retrospection", [False, True])
@pytest.mark.parametrize("stop", [1, 4])
def test_going_on_gives_the_same_bits(name, retrospection, stop, make):
    unbroken = make(name, retrospection)
    records = [r for r in unbroken.run(11) if r]
    first = make(name, retrospection)
    before = [r for r in first.run(stop) if r]
    second = make(name, retrospection)
    second.load(first.state())
    after = [r for r in second.run(11) if r]
    assert _same(_bits(unbroken), _bits(second))
    if stop % 3 and before:  # a stop there adds a record, and divides the mean loss
        assert len(before) + len(after) == len(records) + 1
    assert after[-1] == records[-1]


def test_records_come_at_the_interval_and_at_the_end(make):
    assert [r.step for r in make().run(8) if r] == [3, 6, 8]


def test_records_tell_how_many_classes_the_teacher_sees(make, teacher):
    """Of the batch that the student learned from in that round."""
    records = [r for r in make().run(3) if r]
    (batch,) = make().source.batches(2, teacher)
    seen = effective_classes(batch.teacher_logits).item()
    assert [r.values["classes"] for r in records] == [pytest.approx(seen)]
    assert seen > 1.01


@pytest.mark.parametrize("name", SOURCES.names())
def test_images_of_one_class_show_in_every_source_s_records(name, make, teacher):
    with torch.no_grad():
        teacher.linear.bias[2] = 1000.0
    records = [r for r in make(name).run(11) if r]
    assert records[-1].values["classes"] == 1.0


def test_a_kill_between_records_loses_none(make):
    """The loss that has been summed up is part of the state."""
    unbroken = make()
    records = [r for r in unbroken.run(6) if r]
    first = make()
    steps = first.run(6)
    for _ in range(2):
        next(steps)
    second = make()
    second.load(first.state())
    assert [r for r in second.run(6) if r] == records


def test_looking_at_the_student_changes_nothing(make, normalize, stream):
    quiet, watched = make(), make()
    list(quiet.run(5))
    pixels = torch.randint(0, 256, (9, 3, 16, 16), generator=stream).to(torch.uint8)
    test = EvalSet(pixels, torch.zeros(9, dtype=torch.long), pixels, 0, normalize)
    for _ in watched.run(5):
        evaluate(watched.student, test)
    assert _same(_bits(quiet), _bits(watched))


def test_the_student_learns(make):
    distillation = make()
    losses = [r.values["loss"] for r in distillation.run(30) if r]
    assert losses[-1] < losses[0] / 2


def test_one_plain_step_is_torchs(make):
    distillation = make()
    batch = next(distillation.source.batches(0, distillation.student))
    twin = build_net("wrn-10-1", 4, torch_stream(0, "student")).train()
    optimizer = torch.optim.Adam(twin.parameters(), 1e-3)
    loss = distillation.source.loss(twin, batch)
    loss.backward()
    optimizer.step()
    list(distillation.run(1))
    for ours, theirs in zip(
        distillation.student.parameters(), twin.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_retrospection_adds_its_gradient(make, teacher):
    with_sr, without = (
        make(retrospection=True),
        make(optimizer=OptimizerSpec("adam", cosine(1e-3, 10))),
    )
    list(with_sr.run(1))
    list(without.run(1))
    a, b = (next(iter(d.student.parameters())).grad for d in (with_sr, without))
    assert not torch.allclose(a, b)


@pytest.mark.parametrize("name", ["ood", "clean"])
@pytest.mark.parametrize("retrospection", [False, True])
def test_parameters_out_of_reach_or_frozen_stay(retrospection, name, make):
    """As in a student with a head that is not used, or a first layer that is kept.

    Also under weight decay, which that of clean images has.
    """
    distillation = make(name, retrospection=retrospection)
    student = distillation.student
    student.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
    student.conv.weight.requires_grad_(False)
    before = copy.deepcopy(student)
    distillation.optimizer.add_param_group({"params": [student.unused]})
    list(distillation.run(2))
    assert torch.equal(student.unused, before.unused)
    assert torch.equal(student.conv.weight, before.conv.weight)
    assert not torch.equal(student.linear.weight, before.linear.weight)


def test_reference_statistics_move_in_the_programs_order(make):
    """[x, x + d] R times, x, x + D, x, x + d, then the KD step's x, and the log's x, x + D."""
    distillation = make(retrospection=True, bn="reference")
    x = next(distillation.source.batches(0, distillation.student)).x
    seen = []

    def look(_, args):
        torch.rand(())  # a student that draws is passed every time
        changed = int((args[0] != x).flatten(1).any(1).sum())
        seen.append({0: "x", len(x): "d"}.get(changed, "D"))

    distillation.student.register_forward_pre_hook(look)
    list(distillation.run(1))
    assert "".join(seen) == "xd" * 2 + "xDxd" + "x" + "xD"
    replayed = make(retrospection=True, bn="reference")
    list(replayed.run(1))
    for a, b in zip(
        distillation.student.buffers(), replayed.student.buffers(), strict=True
    ):
        torch.testing.assert_close(a, b)
    assert replayed.student.bn.num_batches_tracked.item() == 2 * 2 + 7


def test_a_fresh_optimizer_leaves_the_old_one_aside(make):
    first = make()
    list(first.run(4))
    second = make(optimizer=OptimizerSpec("sgd", cosine(1e-3, 10)))
    second.load(first.state(), fresh_optimizer=True)
    assert second.position == 4
    assert not second.optimizer.state
    (record,) = filter(None, second.run(5))
    third = make(optimizer=OptimizerSpec("sgd", cosine(1e-3, 10)))
    third.load(first.state(), fresh_optimizer=True)
    batch = next(third.source.batches(4, third.student.train()))
    loss = third.source.loss(third.student, batch).item()
    assert record.values["loss"] == pytest.approx(loss), "of its own round alone"


def test_a_loss_that_is_not_finite_stops_the_run(make):
    distillation = make()
    with torch.no_grad():
        distillation.student.linear.bias.fill_(float("nan"))
    with pytest.raises(AbdError, match="finite loss, got nan"):
        list(distillation.run(3))


@pytest.mark.parametrize("name", ["zskt", "cmi"])
def test_a_dead_generator_stops_the_run(name, make, monkeypatch):
    """It makes one and the same image of everything."""
    forward = Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self, z: 0 * forward(self, z) + 0.5)
    with pytest.raises(AbdError, match="expected different images, got 8 times the same"):
        list(make(name).run(3))


def test_a_last_batch_of_one_image_is_no_dead_generator(teacher, normalize, rng):
    """Nor are copies in a user's own data: only what is generated is looked at."""
    images = rng.integers(0, 256, (2 * 17, 16, 16, 3)).astype("uint8")
    images[:] = images[0]
    pool = {"patches": [], "x_train": images, "y_train": rng.integers(0, 4, len(images))}
    source = build_source("clean", pool, teacher, normalize)
    assert source.rounds_per_epoch == 3, "8 + 8 + 1"
    student = build_net("wrn-10-1", 4, torch_stream(0, "student"))
    list(Distillation(student, source, seed=0, log_every=1).run(6))


def test_the_cache_holds_what_the_student_saw(make, normalize):
    distillation = make()
    source = CachingSource(distillation.source, skip=2)
    distillation.source = source
    list(distillation.run(5))
    images, weights = source.cached()
    assert images.dtype == torch.uint8
    assert images.shape == (3 * 8, 3, 16, 16)
    assert weights.tolist() == [1.0] * 24
    seen = next(source.source.batches(2, distillation.student))
    assert torch.equal(normalize(images[:8]), seen.x)


def test_the_cache_survives_a_stop(make):
    whole = make()
    whole.source = CachingSource(whole.source, skip=1)
    list(whole.run(5))
    first = make()
    first.source = CachingSource(first.source, skip=1)
    list(first.run(3))
    second = make()
    second.source = CachingSource(second.source, skip=1)
    second.load(first.state())
    list(second.run(5))
    assert torch.equal(whole.source.cached()[0], second.source.cached()[0])


@pytest.fixture
def bfloat16():
    """The process as a job with dtype bfloat16 has it."""
    numerics = {"device": "cpu", "threads": 1, "deterministic": True}
    use_numerics({**numerics, "dtype": "bfloat16"})
    yield
    use_numerics(numerics)


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("name", SOURCES.names())
def test_bfloat16_goes_on_with_the_same_bits(name, make):
    unbroken, first, second = (make(name, retrospection=True) for _ in range(3))
    list(unbroken.run(5))
    list(first.run(2))
    second.load(first.state())
    list(second.run(5))
    assert _same(_bits(unbroken), _bits(second))


def test_bfloat16_is_close_to_float32(make, request):
    wide = make("zskt")
    losses = [r.values["loss"] for r in wide.run(6) if r]
    request.getfixturevalue("bfloat16")
    narrow = make("zskt")
    again = [r.values["loss"] for r in narrow.run(6) if r]
    assert again != losses
    assert again == pytest.approx(losses, rel=0.1)
    assert narrow.student.conv.weight.dtype == torch.float32


@pytest.mark.parametrize("kind", [*KINDS, "cmi"])
def test_nothing_is_drawn_from_a_global_stream(kind, teacher):
    run = make_run(kind, teacher, torch.device("cpu"))
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    python_before = random.getstate()
    for _ in islice(run.run(3), 6):
        pass
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)
    assert random.getstate() == python_before
