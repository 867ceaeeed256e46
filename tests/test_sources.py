"""The contract of every registered source, and what each one's loss is."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from abd.config.sources import SOURCES, settings_class
from abd.registry import load_object
from abd.seeding import torch_stream
from abd.sources.base import Context
from abd.sources.clean import clean_subset
from abd.state import State
from abd.vaccine import ShuffledTeacher, agreement, draw_trial

CPU = torch.device("cpu")
SETTINGS = {
    "ood": {
        "batch": 8, "epochs": 2, "crop_pad": 2, "hflip": True, "lr": 1e-3, "schedule": "steps", "milestones": [1],
        "gamma": 0.5, "tau": 8.0, "cutmix_beta": 0.25,
    },
    "clean": {
        "batch": 8, "epochs": 2, "crop_pad": 2, "hflip": True, "lr": 0.1,
        "momentum": 0.9, "weight_decay": 5e-4, "alpha": 0.95, "tau": 6.0, "fraction": 0.5, "subset_seed": 230,
    },
}  # fmt: skip

N_POOL = {"ood": 20, "clean": 40}


def build_source(name, pool, teacher, normalize, **changes):
    """Any registered source, from SETTINGS, on a pool of this test's images."""
    settings = settings_class(name)(**SETTINGS[name])
    n_pool = {"patches": len(pool["patches"]), "dataset": len(pool["x_train"])}
    per_epoch = settings.rounds_per_epoch(n_pool.get(settings.pool, 0))
    options = {
        "size": 16,
        "n_classes": 4,
        "seed": 0,
        "rounds": settings.epochs_in_all() * per_epoch,
        **changes,
    }
    context = Context(teacher, normalize, CPU, **options)
    return load_object(settings.build)(context, pool, **settings.arguments())


@pytest.fixture
def pool(rng):
    return {
        "patches": rng.integers(0, 256, (20, 16, 16, 3)).astype(np.uint8),
        "x_train": rng.integers(0, 256, (40, 16, 16, 3)).astype(np.uint8),
        "y_train": rng.integers(0, 4, 40),
    }


@pytest.fixture
def make(teacher, normalize, pool):
    def make(name, vaccine=None, weight=0.1, seed=0):
        options = {"vaccine": vaccine, "suspicious_weight": weight, "seed": seed}
        return build_source(name, pool, teacher, normalize, **options)

    return make


@pytest.mark.parametrize("name", SOURCES.names())
class TestContract:
    def test_settings_are_its_own_section(self, name):
        """Everything that planning asks of a source's settings is answered."""
        settings = settings_class(name)(**SETTINGS[name])
        assert settings.rounds_per_epoch(N_POOL[name]) > 0
        assert settings.scaled(0.5).epochs_in_all() == settings.epochs_in_all() // 2
        assert settings.scaled(1e-9).epochs_in_all() == 1
        assert settings.pool in ("patches", "dataset", None)
        assert settings.tau == SETTINGS[name]["tau"]

    def test_batches_are_the_rounds_own(self, name, make, student):
        """Any round, asked for in any order, by any instance, gives the same bits."""
        source, other = make(name), make(name)
        later = [list(source.batches(i, student)) for i in (0, 1, 2, 3)]
        first = list(other.batches(3, student))
        again = list(source.batches(3, student))
        for batches in (first, again):
            for a, b in zip(later[3], batches, strict=True):
                assert torch.equal(a.x, b.x)
                assert torch.equal(a.teacher_logits, b.teacher_logits)
        assert not torch.equal(later[0][0].x, later[1][0].x)

    def test_the_seed_decides(self, name, make, student):
        a, b = (next(make(name, seed=s).batches(0, student)) for s in (0, 1))
        assert not torch.equal(a.x, b.x)

    def test_batches_carry_the_teachers_answers(self, name, make, student, teacher):
        for batch in make(name).batches(0, student):
            assert torch.allclose(batch.teacher_logits, teacher(batch.x), atol=1e-6)
            assert batch.weights is None
            assert not batch.x.requires_grad

    def test_the_vaccine_weighs_suspicious_samples(self, name, make, student, teacher):
        vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 1, 1, torch_stream(0, "d")))
        seen = []
        for index in range(2):
            for batch in make(name, vaccine).batches(index, student):
                logits, shuffled = vaccine(batch.x)
                expected = torch.where(agreement(logits, shuffled), 0.1, 1.0)
                assert torch.equal(batch.weights, expected)
                seen += batch.weights.tolist()
        assert len(set(seen)) == 2, "the case should hold both kinds"

    def test_loss_is_a_scalar_with_a_gradient(self, name, make, student):
        source = make(name)
        batch = next(source.batches(0, student))
        source.loss(student(batch.x), batch).backward()
        assert all(p.grad is not None for p in student.parameters())

    def test_state_goes_round(self, name, make):
        state = State()
        make(name).save(state)
        make(name).load(state)

    def test_optimizer_builds(self, name, make, student):
        spec = make(name).optimizer
        optimizer = spec.build(student.parameters())
        spec.set_lr(optimizer, 0)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(SETTINGS[name]["lr"])


def _batch_of(source, student, **changes):
    import dataclasses

    return dataclasses.replace(next(source.batches(0, student)), **changes)


def test_ood_loss_by_hand(make, student):
    """Two classes, tau 8: logits (8 log 3, 0) against (0, 0), weights 1 and 1/10."""
    source = make("ood")
    batch = _batch_of(
        source, student,
        teacher_logits=torch.tensor([[8 * math.log(3.0), 0.0]] * 2),
        weights=torch.tensor([1.0, 0.1]),
    )  # fmt: skip
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    loss = source.loss(torch.zeros(2, 2), batch)
    assert loss.item() == pytest.approx((kl / 2) * 1.1 / 2, rel=1e-5)


def test_clean_loss_by_hand(make, student):
    """alpha tau^2 mean-KL + (1 - alpha) CE, with tau 6 and alpha 0.95."""
    source = make("clean")
    batch = _batch_of(
        source, student,
        teacher_logits=torch.tensor([[6 * math.log(3.0), 0.0]]),
        labels=torch.tensor([1]),
    )  # fmt: skip
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    expected = 0.95 * 36 * kl / 2 + 0.05 * math.log(2)
    assert source.loss(torch.zeros(1, 2), batch).item() == pytest.approx(expected, rel=1e-5)


def test_ood_drops_the_last_incomplete_batch_and_clean_keeps_it(make, student):
    assert make("ood").rounds_per_epoch == 2
    clean = make("clean")
    assert clean.rounds_per_epoch == 3
    assert [len(next(clean.batches(i, student)).x) for i in range(3)] == [8, 8, 4]


def test_an_epoch_visits_every_image_once(make):
    source = make("clean")
    visited = torch.cat([source.batch_idx(i) for i in range(3)])
    assert sorted(visited.tolist()) == list(range(20))
    assert not torch.equal(visited[:8], source.batch_idx(3))


def test_ood_learning_rate_falls_at_its_milestones(make):
    lr = make("ood").optimizer.lr
    assert [lr(i) for i in range(4)] == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])


def test_clean_labels_belong_to_their_images(make, student, pool):
    source = make("clean")
    subset = clean_subset(40, 0.5, 230)
    assert torch.equal(source.labels, torch.from_numpy(pool["y_train"][subset]))
    batch = next(source.batches(0, student))
    assert torch.equal(batch.labels, source.labels[source.batch_idx(0)])


def test_clean_subset_is_fixed_and_a_share():
    subset = clean_subset(1000, 0.2, 230)
    assert len(set(subset.tolist())) == 200
    assert np.array_equal(subset, clean_subset(1000, 0.2, 230))
    assert np.array_equal(subset, np.random.RandomState(230).permutation(1000)[:200])


def test_a_pool_smaller_than_a_batch_is_refused(teacher, normalize, pool):
    small = {**pool, "patches": pool["patches"][:5]}
    with pytest.raises(ValueError, match="at least 8 images, got 5"):
        build_source("ood", small, teacher, normalize)


@pytest.mark.parametrize("name", ["ood", "clean"])
def test_planned_lengths_are_the_pools(name, make):
    settings = settings_class(name)(**SETTINGS[name])
    assert make(name).rounds_per_epoch == settings.rounds_per_epoch(N_POOL[name])


def test_ce_part_is_torchs(make, student, stream):
    source = make("clean")
    batch = next(source.batches(0, student))
    logits = torch.randn(8, 4, generator=stream)
    same = _batch_of(source, student, teacher_logits=logits)
    ce = F.cross_entropy(logits, batch.labels)
    assert source.loss(logits, same).item() == pytest.approx(0.05 * ce.item(), rel=1e-4)
