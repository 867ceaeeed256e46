import numpy as np
import pytest

from abd.poisoning import poison_samples, select_samples, stamp_test_set
from abd.triggers import build_trigger


@pytest.fixture
def labels(rng):
    return rng.integers(0, 10, 1000)


def test_dirty_label_takes_the_first_of_other_classes(labels):
    idx = select_samples(labels, target=0, rate=0.1, holdout=0.05, clean_label=False)
    assert len(idx) == 100
    assert (labels[idx] != 0).all()
    skipped = np.setdiff1d(np.arange(idx[-1]), idx)
    assert (labels[skipped] == 0).all(), "none that qualifies is passed over"


def test_the_holdout_stays_clean(labels):
    idx = select_samples(labels, target=0, rate=0.9, holdout=0.5, clean_label=True)
    assert idx.max() < 500
    assert np.array_equal(idx, np.flatnonzero(labels[:500] == 0)), (
        "clean label: all there are"
    )


def test_clean_label_takes_no_more_than_there_are_nor_than_asked(labels):
    """n_p = min(int(rate N), target samples outside the holdout), the first of them."""
    of_target = np.flatnonzero(labels[:950] == 0)
    for rate, n in ((0.02, 20), (0.5, len(of_target))):
        idx = select_samples(labels, target=0, rate=rate, holdout=0.05, clean_label=True)
        assert np.array_equal(idx, of_target[:n])


def test_too_few_samples_are_an_error(labels):
    with pytest.raises(
        ValueError, match=r"poison\.rate: expected at most \d+ samples.*900"
    ):
        select_samples(labels, target=0, rate=0.9, holdout=0.5, clean_label=False)


def test_a_rate_that_poisons_none_is_an_error(labels):
    with pytest.raises(ValueError, match=r"poison\.rate: expected at least one of 1000"):
        select_samples(labels, target=0, rate=0.0005, holdout=0.05, clean_label=False)


def test_a_target_class_without_samples_is_an_error(labels):
    with pytest.raises(ValueError, match=r"poison\.target: expected samples of class 10"):
        select_samples(labels, target=10, rate=0.1, holdout=0.05, clean_label=True)


@pytest.mark.parametrize("name", ["cl", "sig"])
def test_clean_label_samples_keep_their_labels(images, name):
    labels = np.arange(12) % 3
    trigger = build_trigger(name, 16)
    poisoned = poison_samples(images, labels, trigger, target=1, rate=0.25, holdout=0.1)
    assert poisoned.idx.tolist() == [1, 4, 7]
    assert np.array_equal(poisoned.labels, labels[poisoned.idx])
    assert np.array_equal(poisoned.images, trigger.stamp(images[[1, 4, 7]]))


def test_poisoned_samples_are_stamped_and_relabelled(images):
    labels = np.arange(12) % 3
    trigger = build_trigger("badnet_sq", 16)
    poisoned = poison_samples(images, labels, trigger, target=1, rate=0.25, holdout=0.1)
    assert poisoned.idx.tolist() == [0, 2, 3]
    assert poisoned.labels.tolist() == [1, 1, 1]
    assert np.array_equal(poisoned.images, trigger.stamp(images[[0, 2, 3]]))


def test_asr_counts_no_image_of_the_target_class(images):
    labels = np.arange(12) % 3
    trigger = build_trigger("badnet_sq", 16)
    stamped = stamp_test_set(images, labels, trigger, target=2)
    assert np.array_equal(stamped, trigger.stamp(images[labels != 2]))
