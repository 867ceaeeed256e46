"""Patches of a single photograph, the surrogate images of OOD distillation (section 5.4).

Crop, resized crop, rotation with shear, centre crop, colour jitter, JPEG. The geometry
is torchvision's on PIL images; every draw takes the given generator.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SQUARE_SHARE = 0.5  # of the photograph's shorter side
AREA = (1 / 500, 1.0)
ASPECT = (3 / 4, 4 / 3)
ANGLE = 30.0  # degrees, rotation and x-shear alike
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
JITTER_P = 0.5
JPEG_QUALITY = 75


def make_patches(
    photo: np.ndarray, n: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Cut `n` patches uint8 (n, size, size, 3) from a photograph uint8 (H, W, 3).

    Raises ValueError where the photograph's square crop is smaller than a patch.
    """
    from PIL import Image

    side = int(SQUARE_SHARE * min(photo.shape[:2]))
    if side < size:
        raise ValueError(
            f"photo: expected a shorter side of at least {math.ceil(size / SQUARE_SHARE)} "
            f"pixels for patches of {size}, got {min(photo.shape[:2])}"
        )
    image = Image.fromarray(photo)
    return np.stack([_patch(image, side, size, rng) for _ in range(n)])


def _patch(
    photo: Image.Image, side: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    x0 = int(rng.integers(photo.width - side + 1))
    y0 = int(rng.integers(photo.height - side + 1))
    top, left, height, width = _resized_crop_box(side, rng)
    enlarged = int(size * math.sqrt(2))
    image = F.resized_crop(
        photo, y0 + top, x0 + left, height, width,
        [enlarged, enlarged], InterpolationMode.BICUBIC,
    )  # fmt: skip
    angle, shear = rng.uniform(-ANGLE, ANGLE, 2)
    image = F.affine(
        image, angle, [0, 0], 1.0, [shear, 0.0], InterpolationMode.BILINEAR, fill=[0, 0, 0]
    )
    image = F.center_crop(image, [size, size])
    if rng.random() < JITTER_P:
        image = _jitter(image, rng)
    return _through_jpeg(image)


def _resized_crop_box(side: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw (top, left, height, width) of a crop that fits a square."""
    while True:
        area = side * side * rng.uniform(*AREA)
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        width = round(math.sqrt(area * aspect))
        height = round(math.sqrt(area / aspect))
        if 0 < width <= side and 0 < height <= side:
            top = int(rng.integers(side - height + 1))
            left = int(rng.integers(side - width + 1))
            return top, left, height, width


def _jitter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast, saturation and hue in random order."""
    from torchvision.transforms.v2 import functional as F

    for kind in rng.permutation(list(JITTER)):
        strength = JITTER[kind]
        if kind == "hue":
            image = F.adjust_hue(image, rng.uniform(-strength, strength))
        else:
            adjust = getattr(F, f"adjust_{kind}")
            image = adjust(image, rng.uniform(1 - strength, 1 + strength))
    return image


def _through_jpeg(image: Image.Image) -> np.ndarray:
    """Encode and decode: the reference stores its patches as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(buffer))
