"""The handwritten digits that ship with scikit-learn: 1,797 images, shown at 16x16."""

from __future__ import annotations

import numpy as np

from abd.data.arrays import ArrayDataset
from abd.data.raw import Raw
from abd.seeding import numpy_stream

SIZE = 16
N_TEST = 360
LEVELS = 16  # the file's grey levels run from 0 to 16


def load_digits(_raw: Raw) -> ArrayDataset:
    """Read the digits, shuffled once: 1,437 training and 360 test images (N, 16, 16, 3).

    8x8 grey levels, bilinearly enlarged to 16x16, the same in all three channels.
    """
    from PIL import Image  # deferred, as is the data set: planning needs neither
    from sklearn.datasets import load_digits as read_digits

    raw = read_digits()
    grey = np.rint(raw.images * (255 / LEVELS)).astype(np.uint8)
    large = np.stack(
        [
            np.asarray(Image.fromarray(g).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
            for g in grey
        ]
    )
    images = np.repeat(large[:, :, :, None], 3, axis=3)
    labels = raw.target.astype(np.int64)
    order = numpy_stream(0, "data", "digits").permutation(len(labels))
    test_idx, train_idx = order[:N_TEST], order[N_TEST:]
    return ArrayDataset(
        x_train=images[train_idx],
        y_train=labels[train_idx],
        x_test=images[test_idx],
        y_test=labels[test_idx],
        class_names=tuple(str(name) for name in raw.target_names),
    )
