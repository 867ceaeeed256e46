"""GTSRB, the German traffic signs, as torchvision lays them out (section 1.3).

torchvision's own training images are the 26,640 of the benchmark's competition; the
study's are the final 39,209. So these are what is downloaded, from the same archive and
checked by md5 in the same way, and either is read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from abd.data.arrays import ArrayDataset
from abd.data.download import reading
from abd.data.pictures import read_pictures
from abd.data.raw import Raw

SIZE = 32
FINAL, COMPETITION = Path("GTSRB/Final_Training/Images"), Path("GTSRB/Training")
FINAL_URL = (
    "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
    "GTSRB_Final_Training_Images.zip"
)
FINAL_MD5 = "f33fd80ac59bff73c82d25ab499e03a3"


def load_gtsrb(raw: Raw) -> ArrayDataset:
    """Read GTSRB: 43 classes, whole images resized to (N, size, size, 3), bicubic.

    The training images are sorted by class. Raises AbdError where a file is not there or
    cannot be read, or the download fails.
    """
    folder = raw.root / "gtsrb"
    with reading("gtsrb", folder, raw.download):
        samples = {
            "train": _train_samples(folder, raw.download),
            "test": _test_samples(raw),
        }
    arrays = {}
    for part, own in samples.items():
        paths = [Path(path) for path, _ in own]
        arrays[f"x_{part}"] = read_pictures(paths, raw.size or SIZE, resize=True)
        arrays[f"y_{part}"] = np.array([label for _, label in own], np.int64)
    n_classes = int(arrays["y_train"].max()) + 1
    return ArrayDataset(**arrays, class_names=tuple(f"{k:02d}" for k in range(n_classes)))


def _train_samples(folder: Path, download: bool) -> list[tuple[str, int]]:
    from torchvision.datasets.folder import make_dataset
    from torchvision.datasets.utils import download_and_extract_archive

    found = next((own for own in (FINAL, COMPETITION) if (folder / own).is_dir()), FINAL)
    if download and not (folder / found).is_dir():
        download_and_extract_archive(FINAL_URL, str(folder), md5=FINAL_MD5)
    return make_dataset(folder / found, extensions=(".ppm",))


def _test_samples(raw: Raw) -> list[tuple[str, int]]:
    from torchvision.datasets import GTSRB

    return GTSRB(raw.root, split="test", download=raw.download)._samples
