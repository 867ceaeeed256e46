"""Mean and standard deviation of images, the normalisation where none is given."""

from __future__ import annotations

import numpy as np

CHUNK = 4096  # images counted at once


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of uint8 images (N, H, W, 3), per channel.

    Over all pixels of all images, in units of the pixel range [0, 1], rounded to six
    digits. Raises ValueError where a channel has one value only.
    """
    counts = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        for channel in range(3):
            counts[channel] += np.bincount(chunk[..., channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(axis=1)).round(6)
    if not std.all():
        raise ValueError(
            f"x_train: expected images that differ, got one value in channel "
            f"{int(np.argmin(std))}"
        )
    return mean.round(6).tolist(), std.tolist()
