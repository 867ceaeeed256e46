"""CIFAR-10 and GTSRB from small folders in torchvision's layouts."""

import urllib.error

import numpy as np
import pytest
from PIL import Image

from abd.data import Raw, build_dataset
from abd.data.gtsrb import COMPETITION, FINAL_MD5, FINAL_URL
from abd.errors import AbdError
from tests.raw_data import write_cifar10, write_gtsrb


def test_cifar10_comes_in_its_official_order(tmp_path, monkeypatch):
    images = write_cifar10(tmp_path, monkeypatch)
    data = build_dataset("cifar10", Raw(tmp_path))
    assert (data.x_train == images[:100]).all()
    assert (data.x_test == images[100:]).all()
    assert data.class_names == tuple(f"class {k}" for k in range(10))


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
@pytest.mark.parametrize("spoil", ["damage", "delete"])
def test_a_damaged_cifar10_is_refused(tmp_path, monkeypatch, name, spoil):
    write_cifar10(tmp_path, monkeypatch)
    path = tmp_path / "cifar-10-batches-py" / name
    if spoil == "delete":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b".")
    with pytest.raises(
        AbdError, match=r"cifar-10-batches-py: expected cifar10 as"
    ) as error:
        build_dataset("cifar10", Raw(tmp_path))
    assert "set fetch.download: true" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["cifar10", "gtsrb"])
def test_without_a_network_there_is_one_line(tmp_path, monkeypatch, name):
    def away(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", away)
    with pytest.raises(
        AbdError, match=rf"expected {name} as .* no route to host.*network\?"
    ):
        build_dataset(name, Raw(tmp_path, download=True))
    with pytest.raises(AbdError, match=rf"expected {name} as .* set fetch.download: true"):
        build_dataset(name, Raw(tmp_path))


def test_gtsrb_is_resized_whole(tmp_path):
    base = write_gtsrb(tmp_path)
    data = build_dataset("gtsrb", Raw(tmp_path))
    assert data.x_train.shape == data.x_test.shape == (86, 32, 32, 3)
    assert data.y_train.tolist() == sorted([*range(43)] * 2)
    with Image.open(base / "GTSRB/Final_Training/Images/00001/00000_00001.ppm") as image:
        expected = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC))
    assert (data.x_train[3] == expected).all()
    assert data.class_names[42] == "42"


def test_gtsrb_takes_torchvisions_own_training_images_too(tmp_path):
    write_gtsrb(tmp_path, training=str(COMPETITION))
    assert build_dataset("gtsrb", Raw(tmp_path, size=48)).x_train.shape == (86, 48, 48, 3)


def test_gtsrb_downloads_the_final_training_images(tmp_path, monkeypatch):
    """From torchvision's archive, each file with its md5."""
    asked = []
    for module in ("utils", "gtsrb"):
        monkeypatch.setattr(
            f"torchvision.datasets.{module}.download_and_extract_archive",
            lambda url, *_, md5, **__: asked.append((url, md5)),
        )
    with pytest.raises(AbdError, match="gtsrb: expected gtsrb as torchvision lays it out"):
        build_dataset("gtsrb", Raw(tmp_path, download=True))
    assert asked == [(FINAL_URL, FINAL_MD5)]


def test_gtsrb_without_its_test_labels_is_refused(tmp_path):
    (write_gtsrb(tmp_path) / "GT-final_test.csv").unlink()
    with pytest.raises(AbdError, match=r"GT-final_test\.csv"):
        build_dataset("gtsrb", Raw(tmp_path))
