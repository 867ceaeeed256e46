"""Labelled images that the operator gives: files and class folders, good and bad."""

import numpy as np
import pytest
from PIL import Image

from abd.data.labelled import check_labelled, labelled_digest, load_labelled
from abd.errors import AbdError
from tests.raw_data import CLASSES, arrays, write_folders

GOOD = {"x": arrays()["x_train"], "y": arrays()["y_train"]}


def _write(folder, **changes):
    path = folder / "own.npz"
    made = {**GOOD, **changes}
    np.savez(path, **{k: v for k, v in made.items() if v is not None})
    return path


def _picture(folder):
    folder.mkdir(parents=True)
    Image.fromarray(GOOD["x"][0]).save(folder / "0.png")


def test_a_file_is_read_as_it_is(tmp_path):
    path = _write(tmp_path, y=GOOD["y"].astype(np.uint8))
    check_labelled(path, 16, 3)
    x, y = load_labelled(path, 16, 3)
    assert (x == GOOD["x"]).all()
    assert (y == GOOD["y"]).all()
    assert y.dtype == np.int64


def test_folders_are_numbered_by_name_and_resized(tmp_path):
    folder = write_folders(tmp_path, sizes=((20, 20), (30, 24)), counts=(4, 2)) / "test"
    check_labelled(folder, 16, 3)
    x, y = load_labelled(folder, 16, 3)
    assert x.shape == (6, 16, 16, 3)
    assert y.tolist() == [0, 0, 1, 1, 2, 2]


def test_a_folders_digest_follows_its_files(tmp_path):
    folder = write_folders(tmp_path) / "test"
    before = labelled_digest(folder)
    (folder / "cat/0.png").touch()
    assert labelled_digest(folder) == before
    (folder / "cat/0.png").rename(folder / "dog/new.png")
    assert labelled_digest(folder) != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": None}, "expected the arrays x, y, each as NAME.npy, got no y"),
        ({"x": GOOD["x"] / 255}, r"x: expected uint8 \(N, 16, 16, 3\), got float64"),
        ({"x": GOOD["x"][:, :15]}, r"x: expected .* got uint8 \(60, 15, 16, 3\)"),
        ({"x": GOOD["x"][:0], "y": GOOD["y"][:0]}, r"x: expected .* got uint8 \(0, 16, 16"),
        ({"y": GOOD["y"][1:]}, r"y: expected integers \(60,\), one for every image"),
        ({"y": GOOD["y"] + 1}, r"y: expected labels in 0\.\.2, got 1\.\.3"),
        ({"y": GOOD["y"] - 1}, r"y: expected labels in 0\.\.2, got -1\.\.1"),
    ],
)
def test_a_wrong_file_is_found_by_planning(tmp_path, changes, message):
    path = _write(tmp_path, **changes)
    for read in (check_labelled, load_labelled):
        with pytest.raises(AbdError, match=f"own.npz: {message}") as caught:
            read(path, 16, 3)
        assert "\n" not in str(caught.value)


def test_images_of_zero_and_one_are_refused_when_read(tmp_path):
    path = _write(tmp_path, x=GOOD["x"] // 255)
    with pytest.raises(AbdError, match=r"x: expected values in 0\.\.255, got none above 1"):
        load_labelled(path, 16, 3)


def test_a_file_that_is_no_archive(tmp_path):
    path = tmp_path / "own.npz"
    path.write_text("labels")
    with pytest.raises(AbdError, match=r"own\.npz: (?!.*\n)"):
        check_labelled(path, 16, 3)


def test_folders_that_sort_otherwise_than_their_numbers(tmp_path):
    for k in range(11):
        _picture(tmp_path / f"plain/{k}")
        _picture(tmp_path / f"zeros/{k:02}")
    check_labelled(tmp_path / "zeros", 16, 11)
    with pytest.raises(AbdError, match=r"leading zeros .*, got 0, 1, 10, \.\.\.$"):
        check_labelled(tmp_path / "plain", 16, 11)


def test_folders_of_other_classes_and_none(tmp_path):
    folder = write_folders(tmp_path) / "test"
    with pytest.raises(AbdError, match=f"each of the 4 classes, got {len(CLASSES)}"):
        check_labelled(folder, 16, 4)
    with pytest.raises(
        AbdError, match=r"expected an \.npz file with the arrays x and y, or"
    ):
        check_labelled(tmp_path / "no", 16, 3)
