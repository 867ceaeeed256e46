"""A user's own data: .npz files and class folders, good and bad."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from abd.data.facts import Facts
from abd.data.folders import listing_digest
from abd.data.own import describe_own, load_own
from abd.errors import AbdError
from abd.storage.files import sha256
from abd.storage.records import check_artifact
from tests.raw_data import CLASSES, arrays, write_folders, write_npz


def test_a_file_is_read_as_it_is(tmp_path):
    path = write_npz(tmp_path / "own.npz")
    data, written = load_own(path, 16, resize=False), arrays()
    assert describe_own(path, None) == Facts(size=16, n_classes=3, n_train=60)
    assert data.class_names == CLASSES
    assert all((getattr(data, name) == array).all() for name, array in written.items())


def test_a_compressed_file_without_names_and_with_small_labels(tmp_path):
    made = arrays()
    made["y_train"] = made["y_train"].astype(np.uint8)
    np.savez_compressed(tmp_path / "own.npz", **made)
    data = load_own(tmp_path / "own.npz", 16, resize=False)
    assert describe_own(tmp_path / "own.npz", None).n_classes == 3
    assert data.class_names == ("0", "1", "2")
    assert data.y_train.dtype == np.int64


@pytest.mark.parametrize("largest", [60, 10**12, 2**62])
def test_a_label_beyond_all_images_is_named_at_once(tmp_path, largest):
    made = arrays()
    made["y_train"][0] = largest
    np.savez(tmp_path / "own.npz", **made)
    with pytest.raises(AbdError, match=f"every class among its 60 images, got {largest}"):
        describe_own(tmp_path / "own.npz", None)


GOOD = arrays()
HEADERS = [  # what planning finds, without an image
    ({"x_train": None}, "expected the arrays .*, got no x_train"),
    ({"x_train": GOOD["x_train"] / 255}, r"x_train: expected uint8 \(N, S, S, 3\), got float64"),
    ({"x_train": GOOD["x_train"][..., 0]}, r"x_train: expected uint8 .* got uint8 \(60, 16, 16\)"),
    ({"x_train": GOOD["x_train"][:, :12]}, r"x_train: expected .* got uint8 \(60, 12, 16, 3\)"),
    ({"x_train": GOOD["x_train"][:0]}, r"x_train: expected .* got uint8 \(0, 16, 16, 3\)"),
    ({"x_test": GOOD["x_test"][:, 1:, 1:]}, r"x_test: expected uint8 \(N, 16, 16, 3\)"),
    ({k: GOOD[k][:, :8, :8] for k in ("x_train", "x_test")}, "x_train: expected images of 16 to 224 pixels, got 8"),
    ({"y_train": GOOD["y_train"][1:]}, r"y_train: expected integers \(60,\), one for every image, got int64 \(59,\)"),
    ({"y_test": GOOD["y_test"].astype(float)}, "y_test: expected integers .* got float64"),
    ({"y_test": GOOD["y_test"][:, None]}, r"y_test: expected integers \(12,\)"),
    ({"class_names": np.array([1, 2, 3])}, "class_names: expected text"),
    ({"class_names": np.array(["a", 1], object)}, "class_names: expected numbers or text, got Python objects"),
]  # fmt: skip
CONTENTS = [  # what only the images and labels tell
    ({"x_train": GOOD["x_train"] // 255}, r"x_train: expected values in 0..255, got none above 1; multiply"),
    ({"y_train": GOOD["y_train"] + 1}, r"y_train: expected labels in 0..2, one per class name, got 1..3"),
    ({"y_test": GOOD["y_test"] - 1}, r"y_test: expected labels in 0..2, one per class name, got -1..1"),
    ({"y_train": np.minimum(GOOD["y_train"], 1)}, r"y_train: expected images of every class, got none of class 2 \(owl\)"),
    ({"y_test": GOOD["y_test"] * 0}, r"y_test: .* got none of class 1 \(dog\)"),
    ({"class_names": np.array(["only"])}, "class_names: expected 2 or more, got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), HEADERS)
def test_wrong_headers_are_found_by_planning(tmp_path, changes, message):
    path = write_npz(tmp_path / "own.npz", **changes)
    with pytest.raises(AbdError, match=f"own.npz: {message}") as caught:
        describe_own(path, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("changes", "message"), [*HEADERS, *CONTENTS])
def test_wrong_files_are_refused_naming_the_field(tmp_path, changes, message):
    path = write_npz(tmp_path / "own.npz", **changes)
    with pytest.raises(AbdError, match=r"own.npz: (?!.*\n)"):
        load_own(path, 16, resize=False)


@pytest.mark.parametrize(("changes", "message"), CONTENTS)
def test_wrong_contents_are_named(tmp_path, changes, message):
    path = write_npz(tmp_path / "own.npz", **changes)
    with pytest.raises(AbdError, match=f"own.npz: {message}"):
        load_own(path, 16, resize=False)


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_files_that_are_none(tmp_path, content):
    path = tmp_path / "own.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AbdError, match=r"own.npz: (?!.*\n)"):
        describe_own(path, None)


def test_a_single_array_is_no_data_set(tmp_path):
    np.save(tmp_path / "own.npy", np.zeros(3))
    with pytest.raises(AbdError, match="expected arrays by name, got a single one"):
        describe_own(tmp_path / "own.npy", None)


def test_folders_are_classes_in_order_of_their_names(tmp_path):
    root = write_folders(tmp_path / "own")
    (root / "train/cat/notes.txt").write_text("no image")
    (root / "train/.cache").mkdir()
    data = load_own(root, 16, resize=False)
    assert describe_own(root, None) == Facts(size=16, n_classes=3, n_train=12)
    assert data.class_names == CLASSES
    assert data.y_train.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    second = np.asarray(Image.open(root / "train/dog/1.png"))
    assert (data.x_train[5] == second).all()


def test_folders_are_resized_where_a_size_is_given(tmp_path):
    root = write_folders(tmp_path / "own", sizes=((30, 20), (40, 40)))
    assert describe_own(root, 24).size == 24
    data = load_own(root, 24, resize=True)
    with Image.open(root / "train/cat/0.png") as image:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.BICUBIC))
    assert (data.x_train[0] == expected).all()


def test_grey_and_transparent_images_become_colour(tmp_path):
    root = write_folders(tmp_path / "own")
    Image.new("L", (16, 16), 77).save(root / "train/cat/0.png")
    Image.new("RGBA", (16, 16), (1, 2, 3, 9)).save(root / "train/cat/1.png")
    data = load_own(root, 16, resize=False)
    assert (data.x_train[0] == 77).all()
    assert (data.x_train[1] == (1, 2, 3)).all()


def _without_a_test_folder(root):
    (root / "test").rename(root / "elsewhere")


def _with_a_class_more(root):
    (root / "train/dog").rename(root / "train/fox")


def _with_an_empty_class(root):
    for file in (root / "test/owl").iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_a_test_folder, "own/test: expected a folder with one folder per class, got none"),
        (_with_a_class_more, "own: expected the same classes in train and test, got dog, fox in one"),
        (_with_an_empty_class, r"own/test/owl: expected at least one image \(.png, .*\), got none"),
        (lambda root: Image.new("RGB", (20, 16)).save(root / "train/cat/0.png"), "0.png: expected a square image, got 20x16; give `size`"),
        (lambda root: Image.new("RGB", (8, 8)).save(root / "train/cat/0.png"), "0.png: expected images of 16 to 224 pixels, got 8; give `size`"),
        (lambda root: (root / "train/cat/0.png").write_text("x"), "train/cat/0.png: expected an image file, got"),
    ],
)  # fmt: skip
def test_wrong_folders_are_found_by_planning(tmp_path, spoil, message):
    root = write_folders(tmp_path / "own")
    spoil(root)
    with pytest.raises(AbdError, match=message):
        describe_own(root, None)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("RGB", (17, 17)), "1.png: expected 16x16 pixels as in the first image, got 17x17; give `size`"),
        (Image.new("I;16", (16, 16)), "1.png: expected 8 bits a channel, got an image of mode I;16"),
    ],
)  # fmt: skip
def test_an_image_unlike_the_others_is_named(tmp_path, image, message):
    root = write_folders(tmp_path / "own")
    image.save(root / "test/owl/1.png")
    with pytest.raises(AbdError, match=message):
        load_own(root, 16, resize=False)


def test_a_damaged_image_is_named(tmp_path):
    root = write_folders(tmp_path / "own")
    path = root / "test/owl/1.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(AbdError, match=r"1\.png: expected an image file, got"):
        load_own(root, 16, resize=False)


def test_the_listing_changes_with_the_files_and_not_with_a_touch(tmp_path):
    root = write_folders(tmp_path / "own")
    digests = [listing_digest(root)]
    (root / "train/cat/0.png").touch()
    assert listing_digest(root) == digests[0]
    for change in (
        lambda: Image.new("RGB", (16, 16)).save(root / "train/cat/0.png"),
        lambda: (root / "train/cat/0.png").rename(root / "train/cat/9.png"),
        lambda: (root / "train/cat/1.png").rename(root / "train/dog/8.png"),
    ):
        change()
        digests.append(listing_digest(root))
    assert len(set(digests)) == 4


def _rename(path, name):
    """Rename a file or a folder to what need not be UTF-8."""
    path.rename(path.parent / os.fsdecode(name))


def _in_both(change):
    def spoil(root):
        for part in ("train", "test"):
            change(root / part)

    return spoil


def _keep_the_owls(part):
    for name in ("cat", "dog"):
        shutil.rmtree(part / name)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "train/cat/9.png").symlink_to("nowhere"), "train/cat/9.png: expected an image file, got a link that leads to none"),
        (lambda root: (root / "train/cat/9.png").symlink_to("9.png"), "train/cat/9.png: expected an image file, got a link that leads to none"),
        (lambda root: (root / "train/cat/9.png").mkdir(), "train/cat/9.png: expected an image file, got no file"),
        (lambda root: os.mkfifo(root / "train/cat/9.png"), "train/cat/9.png: expected an image file, got no file"),
        (_in_both(lambda part: (part / "fox").symlink_to("nowhere")), "train/fox: expected a folder, got a link that leads to none"),
        (_in_both(lambda part: (part / "fox").symlink_to("fox")), "train/fox: expected a folder, got a link that leads to none"),
        (_in_both(lambda part: (part / "fox").symlink_to(".")), "train/fox: expected at least one image"),
        (_in_both(lambda part: _rename(part / "cat", b"\xff")), r"train: class folders: expected names in UTF-8 .*, got '\\udcff'"),
        (_in_both(lambda part: _rename(part / "cat", b"c\nat")), r"train: class folders: expected names .* without line breaks .*, got 'c\\nat'"),
        (_in_both(_keep_the_owls), "train: class folders: expected 2 or more, got 1"),
    ],
)  # fmt: skip
def test_odd_folders_are_refused_alike_by_all_that_list_them(tmp_path, spoil, message):
    root = write_folders(tmp_path / "own")
    spoil(root)
    for read in (
        lambda: describe_own(root, None),
        lambda: load_own(root, 16, resize=False),
        lambda: listing_digest(root),
    ):
        with pytest.raises(AbdError, match=message) as caught:
            read()
        assert str(caught.value).isprintable()


def test_links_to_files_and_folders_are_followed(tmp_path):
    root = write_folders(tmp_path / "own")
    for part in ("train", "test"):
        (root / part / "owl").rename(tmp_path / part)
        (root / part / "owl").symlink_to(tmp_path / part)
    (root / "train/cat/9.png").symlink_to(root / "train/cat/0.png")
    data = load_own(root, 16, resize=False)
    assert data.class_names == CLASSES
    assert (data.x_train[4] == data.x_train[0]).all()


def test_image_files_may_have_names_that_are_no_utf8(tmp_path):
    root = write_folders(tmp_path / "own")
    listing, contents = listing_digest(root), sha256(root)
    _rename(root / "test/owl/1.png", b"\xff.png")
    assert load_own(root, 16, resize=False).class_names == CLASSES
    assert listing_digest(root) != listing
    assert sha256(root) != contents
    odd = next(path for path in (root / "test/owl").iterdir() if path.name != "0.png")
    odd.write_bytes(b"no image")
    with pytest.raises(AbdError, match=r"owl/\\udcff\.png: expected an image") as caught:
        load_own(root, 16, resize=False)
    assert str(caught.value).isprintable()


def test_folders_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    """Permissions are pretended: who may do everything could not take them away."""
    root = write_folders(tmp_path / "own")
    real = Path.iterdir

    def iterdir(path):
        if path.name == "dog":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(AbdError, match="own/train: expected folders that can be read, got"):
        describe_own(root, None)


def test_a_file_that_may_not_be_read_is_no_input(tmp_path, monkeypatch):
    root = write_folders(tmp_path / "own")

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AbdError, match=r"own: expected a readable artifact, got .* denied"):
        check_artifact(root)
