"""Data sets as arrays, whatever their source; the only readers of raw data.

`build_dataset("digits")` gives an `ArrayDataset`. Other packages add data sets through
the entry-point group `abd.datasets`: a function of a `Raw`. A user's own data need no
code: `load_own` reads an .npz file or class folders.
"""

from abd.data.arrays import ArrayDataset
from abd.data.raw import Raw
from abd.registry import Registry

__all__ = ["DATASETS", "ArrayDataset", "Raw", "build_dataset"]

DATASETS = Registry(
    "dataset",
    "abd.datasets",
    {
        "cifar10": "abd.data.cifar10:load_cifar10",
        "digits": "abd.data.digits:load_digits",
        "gtsrb": "abd.data.gtsrb:load_gtsrb",
    },
)


def build_dataset(name: str, raw: Raw = Raw()) -> ArrayDataset:  # noqa: B008 - frozen
    """Read the data set `name`; AbdError for an unknown name or missing data."""
    dataset: ArrayDataset = DATASETS.load(name)(raw)
    return dataset
