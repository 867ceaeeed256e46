import dataclasses

import numpy as np
import pytest
from PIL import Image

from abd.data import DATASETS, ArrayDataset, build_dataset
from abd.data.photos import EMBEDDED, load_photo
from abd.errors import AbdError
from abd.patches import Recipe, make_patches
from abd.seeding import numpy_stream


@pytest.mark.parametrize("name", DATASETS.names())
def test_contract(name):
    """Every data set is checked arrays, the same each time, mixed in class."""
    data, again = build_dataset(name), build_dataset(name)
    assert np.array_equal(data.x_train, again.x_train)
    assert np.array_equal(data.y_test, again.y_test)
    assert 16 <= data.size <= 224
    first = data.y_train[: len(data.y_train) // 4]
    assert len(np.unique(first)) == data.n_classes


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
        (
            {"x_test": np.zeros((4, 8, 8, 3), np.uint8)},
            r"x_test: expected uint8 \(N, 16, 16, 3\)",
        ),
        ({"y_train": np.arange(3)}, r"y_train: expected int64 \(4,\)"),
        (
            {"y_test": np.array([0, 1, 2, 2])},
            r"expected every class in 0..1 and no other, wrong at \[2\]",
        ),
        ({"y_test": np.zeros(4, np.int64)}, r"wrong at \[1\]"),
    ],
)
def test_wrong_arrays_are_named(change, message):
    images, labels = np.zeros((4, 16, 16, 3), np.uint8), np.array([0, 1, 0, 1])
    good = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    with pytest.raises(ValueError, match=message):
        ArrayDataset(**{**good, **change}, class_names=("a", "b"))


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_photos(name):
    assert load_photo(name).shape == (427, 640, 3)


def test_a_photo_from_a_file(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("L", (40, 30), 128).save(path)
    assert (load_photo(str(path)) == np.full((30, 40, 3), 128)).all()


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
