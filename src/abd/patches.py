"""Patches of a single photograph, the surrogate images of OOD distillation (section 5.4).

Crop, resized crop, rotation with shear, centre crop, colour jitter, JPEG. The geometry
is torchvision's on PIL images; every draw takes the given generator.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Recipe:
    """How a patch is cut.

    square: side of the first crop as a share of the photograph's shorter side. min_area:
    least share of that square in the resized crop. aspect: its largest aspect ratio.
    angle: largest rotation and x-shear, degrees. jitter: of brightness, contrast and
    saturation; jitter_hue: of the hue; jitter_p: how often. jpeg_quality: 1 to 100.
    """

    square: float
    min_area: float
    aspect: float
    angle: float
    jitter: float
    jitter_hue: float
    jitter_p: float
    jpeg_quality: int


def make_patches(
    photo: np.ndarray, n: int, size: int, recipe: Recipe, rng: np.random.Generator
) -> np.ndarray:
    """Cut `n` patches uint8 (n, size, size, 3) from a photograph uint8 (H, W, 3).

    Raises ValueError where the photograph's square crop is smaller than a patch.
    """
    from PIL import Image

    side = int(recipe.square * min(photo.shape[:2]))
    if side < size:
        raise ValueError(
            f"photo: expected a shorter side of at least {math.ceil(size / recipe.square)} "
            f"pixels for patches of {size}, got {min(photo.shape[:2])}"
        )
    image = Image.fromarray(photo)
    return np.stack([_patch(image, side, size, recipe, rng) for _ in range(n)])


def _patch(
    photo: Image.Image, side: int, size: int, recipe: Recipe, rng: np.random.Generator
) -> np.ndarray:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    x0 = int(rng.integers(photo.width - side + 1))
    y0 = int(rng.integers(photo.height - side + 1))
    top, left, height, width = _resized_crop_box(side, recipe, rng)
    enlarged = int(size * math.sqrt(2))
    image = F.resized_crop(
        photo, y0 + top, x0 + left, height, width,
        [enlarged, enlarged], InterpolationMode.BICUBIC,
    )  # fmt: skip
    angle, shear = rng.uniform(-recipe.angle, recipe.angle, 2)
    image = F.affine(
        image, angle, [0, 0], 1.0, [shear, 0.0], InterpolationMode.BILINEAR, fill=[0, 0, 0]
    )
    image = F.center_crop(image, [size, size])
    if rng.random() < recipe.jitter_p:
        image = _jitter(image, recipe, rng)
    return _through_jpeg(image, recipe.jpeg_quality)


def _resized_crop_box(
    side: int, recipe: Recipe, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Draw (top, left, height, width) of a crop that fits a square."""
    while True:
        area = side * side * rng.uniform(recipe.min_area, 1.0)
        widest = math.log(recipe.aspect)
        aspect = math.exp(rng.uniform(-widest, widest))
        width = round(math.sqrt(area * aspect))
        height = round(math.sqrt(area / aspect))
        if 0 < width <= side and 0 < height <= side:
            top = int(rng.integers(side - height + 1))
            left = int(rng.integers(side - width + 1))
            return top, left, height, width


def _jitter(image: Image.Image, recipe: Recipe, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast, saturation and hue in random order."""
    from torchvision.transforms.v2 import functional as F

    for kind in rng.permutation(["brightness", "contrast", "saturation", "hue"]):
        if kind == "hue":
            hue = rng.uniform(-recipe.jitter_hue, recipe.jitter_hue)
            image = F.adjust_hue(image, hue)
        else:
            adjust = getattr(F, f"adjust_{kind}")
            image = adjust(image, rng.uniform(1 - recipe.jitter, 1 + recipe.jitter))
    return image


def _through_jpeg(image: Image.Image, quality: int) -> np.ndarray:
    """Encode and decode: the reference stores its patches as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
