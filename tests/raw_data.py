"""Small raw data in the layouts that the readers expect."""

import hashlib
import pickle

import numpy as np
from PIL import Image

from abd.seeding import numpy_stream

CLASSES = ("cat", "dog", "owl")


def arrays(n_train=60, n_test=12, size=16, n_classes=3):
    """Random images by name, labels in turn."""
    rng = numpy_stream(0, "tests", "raw data")
    made = {}
    for part, n in (("train", n_train), ("test", n_test)):
        made[f"x_{part}"] = rng.integers(0, 256, (n, size, size, 3)).astype(np.uint8)
        made[f"y_{part}"] = rng.permutation(np.arange(n) % n_classes)
    return made


def write_npz(path, **changes):
    """Write a valid .npz file but for `changes`; a change to None leaves an array out."""
    made = {**arrays(), "class_names": np.array(CLASSES), **changes}
    np.savez(path, **{k: v for k, v in made.items() if v is not None})
    return path


def write_folders(root, sizes=((16, 16),), counts=(4, 2)):
    """Write class folders; images take the (width, height) of `sizes` in turn."""
    rng = numpy_stream(0, "tests", "folders")
    for part, n in zip(("train", "test"), counts, strict=True):
        for name in CLASSES:
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(n):
                width, height = sizes[i % len(sizes)]
                pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def write_cifar10(root, monkeypatch, n=20):
    """Write CIFAR-10's seven files with `n` images each; torchvision checks their md5s.

    Returns the images (6 n, 32, 32, 3), test last, as they were written.
    """
    from torchvision.datasets import CIFAR10

    folder = root / CIFAR10.base_folder
    folder.mkdir(parents=True)
    rng = numpy_stream(0, "tests", "cifar10")
    images = rng.integers(0, 256, (6 * n, 32, 32, 3)).astype(np.uint8)
    sums = {}
    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    for i, name in enumerate(names):
        own = images[i * n : (i + 1) * n].transpose(0, 3, 1, 2).reshape(n, -1)
        labels = rng.permutation(np.arange(n) % 10).tolist()
        sums[name] = _pickled(folder / name, {"data": own, "labels": labels})
    classes = {"label_names": [f"class {k}" for k in range(10)]}
    meta = _pickled(folder / CIFAR10.meta["filename"], classes)
    for key in ("train_list", "test_list"):
        known = [[name, sums[name]] for name, _ in getattr(CIFAR10, key)]
        monkeypatch.setattr(CIFAR10, key, known)
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": meta})
    return images


def _pickled(path, value):
    path.write_bytes(pickle.dumps(value))
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_gtsrb(root, n_classes=43, per_class=2, training="GTSRB/Final_Training/Images"):
    """Write GTSRB's folders: .ppm images of many sizes, and the csv of the test labels."""
    rng = numpy_stream(0, "tests", "gtsrb")
    base = root / "gtsrb"
    test = base / "GTSRB/Final_Test/Images"
    test.mkdir(parents=True)
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for label in range(n_classes):
        folder = base / training / f"{label:05d}"
        folder.mkdir(parents=True)
        (folder / f"GT-{label:05d}.csv").write_text("no image")
        for i in range(per_class):
            _sign(rng).save(folder / f"00000_{i:05d}.ppm")
    for i, label in enumerate(rng.permutation(np.arange(2 * n_classes) % n_classes)):
        _sign(rng).save(test / f"{i:05d}.ppm")
        rows.append(f"{i:05d}.ppm;30;30;5;5;25;25;{label}")
    (base / "GT-final_test.csv").write_text("\n".join(rows) + "\n")
    return base


def _sign(rng):
    height, width = rng.integers(15, 60, 2)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
