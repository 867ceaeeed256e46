import dataclasses

import numpy as np
import pytest
from PIL import Image

from abd.data import DATASETS, ArrayDataset, Raw, build_dataset
from abd.data.order import shuffle_class_runs
from abd.data.photos import EMBEDDED, load_photo
from abd.data.statistics import channel_statistics
from abd.errors import AbdError
from abd.patches import Recipe, make_patches
from abd.seeding import numpy_stream
from tests.raw_data import write_cifar10, write_gtsrb


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Small raw data for every data set that does not come with a package."""
    write_cifar10(tmp_path, monkeypatch)
    write_gtsrb(tmp_path, per_class=8)
    return Raw(tmp_path)


@pytest.mark.parametrize("name", DATASETS.names())
def test_contract(name, raw):
    """Every data set is checked arrays, the same each time, mixed in class once shuffled."""
    data, again = (shuffle_class_runs(build_dataset(name, raw))[0] for _ in range(2))
    assert np.array_equal(data.x_train, again.x_train)
    assert np.array_equal(data.y_test, again.y_test)
    assert 16 <= data.size <= 224
    half = data.y_train[: len(data.y_train) // 2]
    assert len(np.unique(half)) > 0.9 * data.n_classes


def test_digits():
    data = build_dataset("digits")
    assert data.x_train.shape == (1437, 16, 16, 3)
    assert data.x_test.shape == (360, 16, 16, 3)
    assert data.class_names == tuple("0123456789")
    assert data.x_train.max() == 255
    assert (data.x_train[..., 0] == data.x_train[..., 2]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": np.zeros((4, 16, 16, 3))}, "x_train: expected uint8"),
        ({"y_train": np.arange(3)}, r"y_train: expected int64 \(4,\), got int64 \(3,\)"),
        ({"y_test": np.zeros(4, np.int32)}, r"y_test: expected int64 \(4,\), got int32"),
    ],
)
def test_wrong_arrays_are_named(images, change, message):
    labels = np.array([0, 1, 0, 1])
    good = {
        "x_train": images[:4],
        "y_train": labels,
        "x_test": images[:4],
        "y_test": labels,
    }
    with pytest.raises(ValueError, match=message):
        ArrayDataset(**{**good, **change}, class_names=("a", "b"))


def _dataset(y_train):
    """A data set whose images carry their position in the top left pixel."""
    n = len(y_train)
    x = np.full((n, 16, 16, 3), 9, np.uint8)
    x[:, 0, 0, 0], x[:, 0, 0, 1] = np.arange(n) % 256, np.arange(n) // 256
    y_test = np.array([0, 1, 2, 1, 0, 2, 1, 2, 0])
    return ArrayDataset(x, y_train, x[:9], y_test, ("a", "b", "c"))


def _places(x):
    return x[:, 0, 0, 0].astype(int) + 256 * x[:, 0, 0, 1].astype(int)


SORTED = np.repeat([0, 1, 2], 100)


@pytest.mark.parametrize(
    "labels", [SORTED, SORTED[::-1].copy(), np.tile(SORTED, 2), np.repeat([0, 2, 1], (50, 80, 20))],
    ids=["sorted", "backwards", "sorted parts", "unequal runs"],
)  # fmt: skip
def test_a_set_sorted_by_class_is_shuffled_once_and_for_all(labels):
    data, shuffled = shuffle_class_runs(_dataset(labels))
    assert shuffled == ["train"]
    places = _places(data.x_train)
    assert sorted(places) == list(range(len(labels)))
    assert (data.y_train == labels[places]).all(), "images and labels go together"
    assert len(np.unique(data.y_train[: len(labels) // 2])) == 3
    again, _ = shuffle_class_runs(_dataset(labels))
    assert (_places(again.x_train) == places).all()


def test_a_mixed_set_stays_in_its_order(rng):
    labels = rng.permutation(SORTED)
    data, shuffled = shuffle_class_runs(_dataset(labels))
    assert shuffled == []
    assert (_places(data.x_train) == np.arange(300)).all()


def test_statistics_are_those_of_all_pixels(rng):
    images = rng.integers(0, 256, (5000, 3, 3, 3)).astype(np.uint8)
    images[..., 2] //= 2
    mean, std = channel_statistics(images)
    x = images.reshape(-1, 3) / 255
    assert mean == pytest.approx(x.mean(0), abs=1e-6)
    assert std == pytest.approx(x.std(0), abs=1e-6)


def test_a_channel_of_one_value_is_named(images):
    images[..., 1] = 7
    with pytest.raises(ValueError, match=r"expected images that differ, got .* channel 1"):
        channel_statistics(images)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_photos(name):
    assert load_photo(name).shape == (427, 640, 3)


def test_a_photo_from_a_file(tmp_path):
    path = tmp_path / "grey.png"
    grey = Image.linear_gradient("L").resize((40, 30))
    grey.save(path)
    assert (load_photo(str(path)) == np.asarray(grey)[..., None]).all()


@pytest.mark.parametrize("content", [None, b"no image"])
def test_unreadable_photos_are_one_line(tmp_path, content):
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AbdError, match="expected china or flower, or a readable image"):
        load_photo(str(path))


RECIPE = Recipe(
    square=0.5, min_area=1 / 500, aspect=4 / 3, angle=30.0, jitter=0.4, jitter_hue=0.1,
    jitter_p=0.5, jpeg_quality=75,
)  # fmt: skip


def test_patches_are_seeded_and_differ():
    photo = load_photo("china")
    a, b, c = (
        make_patches(photo, 6, 16, RECIPE, numpy_stream(seed, "p")) for seed in (0, 0, 1)
    )
    assert a.shape == (6, 16, 16, 3)
    assert a.dtype == np.uint8
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert len({patch.tobytes() for patch in a}) == 6


def test_patches_keep_the_photos_colour_on_average():
    photo = np.empty((100, 100, 3), np.uint8)
    photo[:] = (200, 100, 50)
    patches = make_patches(photo, 40, 32, RECIPE, numpy_stream(0, "p"))
    centre = patches[:, 12:20, 12:20].astype(float).mean(axis=(1, 2))
    assert np.median(centre, axis=0) == pytest.approx([200, 100, 50], abs=25)


@pytest.mark.parametrize(
    "change",
    [
        {"square": 0.2}, {"min_area": 0.9}, {"aspect": 1.0}, {"angle": 0.0}, {"jitter": 0.0},
        {"jitter_hue": 0.0}, {"jitter_p": 0.0}, {"jpeg_quality": 20},
    ],
    ids=str,
)  # fmt: skip
def test_every_number_of_the_recipe_counts(change):
    photo = load_photo("flower")
    plain, changed = (
        make_patches(photo, 4, 16, recipe, numpy_stream(0, "p"))
        for recipe in (RECIPE, dataclasses.replace(RECIPE, **change))
    )
    assert not np.array_equal(plain, changed)


def test_a_photo_smaller_than_a_patch_is_refused():
    with pytest.raises(ValueError, match="at least 64 pixels for patches of 32, got 50"):
        make_patches(np.zeros((50, 90, 3), np.uint8), 1, 32, RECIPE, numpy_stream(0, "p"))
