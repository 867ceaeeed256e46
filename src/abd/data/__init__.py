"""Data sets as arrays, whatever their source; the only readers of raw data.

`build_dataset("digits")` gives an `ArrayDataset`. Other packages add data sets through
the entry-point group `abd.datasets`: a factory without arguments.
"""

from abd.data.arrays import ArrayDataset
from abd.registry import Registry

__all__ = ["DATASETS", "ArrayDataset", "build_dataset"]

DATASETS = Registry("dataset", "abd.datasets", {"digits": "abd.data.digits:load_digits"})


def build_dataset(name: str) -> ArrayDataset:
    """Read the data set `name`; AbdError for an unknown name."""
    dataset: ArrayDataset = DATASETS.load(name)()
    return dataset
