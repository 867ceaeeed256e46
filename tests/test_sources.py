"""The contract of every registered source, and what each one's loss is."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from abd.config.sources import SOURCES, settings_class
from abd.registry import load_object
from abd.seeding import torch_stream
from abd.shuffling import ShuffledTeacher, agreement, draw_trial
from abd.sources.base import Context, Guard
from abd.sources.clean import clean_subset
from abd.state import State

CPU = torch.device("cpu")
COMMON = {"log_every": 3, "eval_every": 3, "batch": 8}
SETTINGS = {
    "ood": {
        **COMMON, "epochs": 2, "crop_pad": 2, "hflip": True, "lr": 1e-3, "schedule": "steps",
        "milestones": [1], "gamma": 0.5, "tau": 8.0, "cutmix_beta": 0.25,
    },
    "clean": {
        **COMMON, "epochs": 2, "crop_pad": 2, "hflip": True, "lr": 0.1, "momentum": 0.9,
        "weight_decay": 5e-4, "alpha": 0.95, "tau": 6.0, "fraction": 0.5, "subset_seed": 230,
    },
    "zskt": {
        **COMMON, "cycles": 40, "nz": 6, "generator_steps": 1, "student_steps": 2,
        "lr_generator": 1e-3, "lr": 2e-3, "clip_norm": 5.0, "tau": 1.0, "at_beta": 250.0,
    },
    "cmi": {
        **COMMON, "epochs": 2, "kd_steps": 3, "tau": 20.0, "lr": 0.1, "momentum": 0.9,
        "weight_decay": 1e-4, "crop_pad": 2, "hflip": True, "lr_head": 1e-3, "head_dim": 8,
        "bank": 12,
        "synthesis": {
            "images": 8, "steps": 3, "nz": 6, "lr": 1e-3, "w_bn": 1.0, "w_onehot": 1.0,
            "w_adv": 0.5, "w_contrast": 0.8, "temperature": 0.1, "n_negatives": 6,
            "crop_pad": 2,
        },
    },
}  # fmt: skip
N_POOL = {"ood": 20, "clean": 40, "zskt": 0, "cmi": 0}
POOLED = ["clean", "ood"]


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
        "device": CPU,
        **changes,
    }
    context = Context(teacher, normalize, **options)
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
    def make(name, **options):
        return build_source(name, pool, teacher, normalize, **options)

    return make


@pytest.mark.parametrize("name", SOURCES.names())
class TestContract:
    def test_settings_are_its_own_section(self, name):
        """Everything that planning asks of a source's settings is answered."""
        settings = settings_class(name)(**SETTINGS[name])
        assert settings.rounds_per_epoch(N_POOL[name]) > 0
        assert settings.scaled(0.5).epochs_in_all() == settings.epochs_in_all() // 2
        assert 1 <= settings.scaled(1e-9).epochs_in_all() <= settings.epochs_in_all() // 2
        assert settings.scaled(1e-9).log_every == settings.scaled(1e-9).eval_every == 1
        assert settings.pool in ("patches", "dataset", None)
        assert settings.tau == SETTINGS[name]["tau"]

    def test_rounds_are_reproducible(self, name, make, student):
        """The same rounds in the same order, by any instance, give the same bits."""
        twins = [(make(name), copy.deepcopy(student)) for _ in range(2)]
        rows = [[list(s.batches(i, net)) for i in range(8)] for s, net in twins]
        for one, other in zip(*rows, strict=True):
            for a, b in zip(one, other, strict=True):
                assert torch.equal(a.x, b.x)
                assert torch.equal(a.teacher_logits, b.teacher_logits)
        shown = [b.x for batches in rows[0] for b in batches if b.repeats]
        assert len(shown) > 2
        assert not any(torch.equal(a, b) for a, b in itertools.pairwise(shown))

    @pytest.mark.parametrize("stop", [1, 3, 4])
    def test_going_on_from_a_state_gives_the_same_bits(self, name, stop, make, student):
        whole, twin = make(name), copy.deepcopy(student)
        for i in range(stop):
            list(whole.batches(i, student))
        state = State()
        whole.save(state)
        other = make(name)
        other.load(state)
        twin.load_state_dict(student.state_dict())
        for i in range(stop, 6):
            rows = [list(s.batches(i, n)) for s, n in ((whole, student), (other, twin))]
            assert all(torch.equal(a.x, b.x) for a, b in zip(*rows, strict=True))
        states = [State(), State()]
        whole.save(states[0])
        other.save(states[1])
        assert states[0].values == states[1].values
        for path, tensor in states[0].tensors.items():
            assert torch.equal(tensor, states[1].tensors[path]), path

    def test_the_seed_decides(self, name, make, student):
        a, b = (next(make(name, seed=s).batches(0, student)) for s in (0, 1))
        assert not torch.equal(a.x, b.x)

    def test_batches_carry_the_teachers_answers(self, name, make, student, teacher):
        source = make(name)
        for i in range(2):
            for batch in source.batches(i, student):
                assert torch.allclose(batch.teacher_logits, teacher(batch.x), atol=1e-5)
                assert batch.suspicious is None
                assert not batch.x.requires_grad
                assert not batch.teacher_logits.requires_grad

    def test_teacher_and_student_are_left_as_they_are(self, name, make, student, teacher):
        """But for the student's BatchNorm statistics, which ZSKT moves."""
        before = copy.deepcopy((teacher.state_dict(), dict(student.named_parameters())))
        student.train()
        list(make(name).batches(0, student))
        assert student.training
        assert not teacher.training
        assert all(p.requires_grad and p.grad is None for p in student.parameters())
        for key, value in teacher.state_dict().items():
            assert torch.equal(value, before[0][key])
        for key, value in student.named_parameters():
            assert torch.equal(value, before[1][key])

    def test_the_vaccine_enters(self, name, make, student, teacher):
        vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 1, 1, torch_stream(0, "d")))
        plain, guarded = make(name), make(name, vaccine=vaccine)
        twin = copy.deepcopy(student)
        losses = []
        for i in range(4):
            pairs = zip(plain.batches(i, student), guarded.batches(i, twin), strict=True)
            losses += [
                (plain.loss(student, a), guarded.loss(twin, b))
                for a, b in pairs
                if a.repeats
            ]
        assert any(not torch.allclose(a, b) for a, b in losses)

    def test_loss_is_a_scalar_with_a_gradient(self, name, make, student):
        source = make(name)
        shown = [b for i in range(4) for b in source.batches(i, student) if b.repeats]
        source.loss(student, shown[0]).backward()
        assert all(p.grad is not None for p in student.parameters())

    def test_optimizer_builds(self, name, make, student):
        spec = make(name).optimizer
        optimizer = spec.build(student.parameters())
        spec.set_lr(optimizer, 0)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(SETTINGS[name]["lr"])


def _batch_of(source, student, **changes):
    import dataclasses

    return dataclasses.replace(next(source.batches(0, student)), **changes)


def _zeros(x):
    """A student that answers (0, 0) to everything."""
    return torch.zeros(len(x), 2)


KL = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)  # of (3/4, 1/4) from (1/2, 1/2)


@pytest.mark.parametrize(
    ("form", "suspicious", "expected"),
    [
        ("weight", [False, True], (KL / 2) * 1.1 / 2),
        ("ascent", [False, True], (KL / 2) * (1 - 0.1)),
        ("ascent", [True, True], (KL / 2) * -0.1),
        ("ascent", [False, False], KL / 2),
    ],
)
def test_ood_loss_by_hand(form, suspicious, expected, make, student):
    """Two classes, tau 8: logits (8 log 3, 0) against (0, 0)."""
    source = make("ood", guard=Guard(form=form, suspicious_weight=0.1))
    batch = _batch_of(
        source, student,
        x=torch.zeros(2, 3, 16, 16),
        teacher_logits=torch.tensor([[8 * math.log(3.0), 0.0]] * 2),
        suspicious=torch.tensor(suspicious),
    )  # fmt: skip
    assert source.loss(_zeros, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", POOLED)
def test_samples_on_which_the_shuffled_teacher_agrees_are_suspicious(
    name, make, student, teacher
):
    vaccine = ShuffledTeacher(teacher, draw_trial(teacher, 1, 1, torch_stream(0, "d")))
    source, seen = make(name, vaccine=vaccine), []
    for index in range(2):
        for batch in source.batches(index, student):
            assert torch.equal(batch.suspicious, agreement(*vaccine(batch.x)))
            seen += batch.suspicious.tolist()
    assert len(set(seen)) == 2, "the case should hold both kinds"


def test_clean_loss_by_hand(make, student):
    """alpha tau^2 mean-KL + (1 - alpha) CE, with tau 6 and alpha 0.95."""
    source = make("clean")
    batch = _batch_of(
        source, student,
        x=torch.zeros(1, 3, 16, 16),
        teacher_logits=torch.tensor([[6 * math.log(3.0), 0.0]]),
        labels=torch.tensor([1]),
    )  # fmt: skip
    expected = 0.95 * 36 * KL / 2 + 0.05 * math.log(2)
    assert source.loss(_zeros, batch).item() == pytest.approx(expected, rel=1e-5)


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
    assert source.loss(lambda x: logits, same).item() == pytest.approx(
        0.05 * ce.item(), rel=1e-4
    )
