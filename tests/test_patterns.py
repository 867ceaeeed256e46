"""The procedural patterns have what method section 2.1 says of the originals."""

import numpy as np
import pytest
from scipy import ndimage

from abd.triggers.blend import stripes
from abd.triggers.drawing import blend_drawing
from abd.triggers.noise import colour_block, gaussian_noise
from abd.triggers.resize import resize_pattern
from abd.triggers.smooth import cifar10_glow, gtsrb_glow
from abd.triggers.watermark import watermark_pattern


def test_watermark_has_the_described_statistics():
    """The counts, energies and places that section 2.1 gives."""
    pattern = watermark_pattern().astype(float)
    brightest = pattern.max(axis=2)
    bright, faint = brightest > 85, (brightest > 0) & (brightest <= 85)
    assert bright.sum() == 55
    assert faint.sum() == 266
    assert np.linalg.norm(pattern) == pytest.approx(2228, rel=0.005)
    energy = np.square(pattern)
    assert energy[bright].sum() / energy.sum() == pytest.approx(0.97, abs=0.005)
    assert pattern[faint].mean() == pytest.approx(7, abs=0.25)
    assert brightest[faint].max() <= 60

    rows, cols = np.mgrid[:32, :32]
    ring = bright & (np.abs(np.hypot(rows - 21.2, cols - 20.9) - 5.7) < 1)
    assert np.argwhere(ring).min(axis=0).tolist() == [16, 15]
    assert np.argwhere(ring).max(axis=0).tolist() == [27, 27]
    inner = bright & (np.hypot(rows - 21, cols - 21) < 4)
    assert inner.sum() == 16
    for dot in ((24, 5), (19, 10), (16, 12), (15, 15), (13, 16), (10, 19)):
        assert bright[dot]
    stroke = np.abs(rows + cols - 29) <= 1
    assert (brightest[faint & ~stroke] <= 20).all()
    assert brightest[faint & stroke].max() > 40


def test_watermark_inner_ring_is_white_and_red():
    pattern = watermark_pattern().astype(float)
    rows, cols = np.mgrid[:32, :32]
    inner = pattern[(pattern.max(axis=2) > 85) & (np.hypot(rows - 21, cols - 21) < 4)]
    white = inner.min(axis=1) > 0.9 * inner.max(axis=1)
    red = (inner.argmax(axis=1) == 0) & (inner.min(axis=1) <= 0.41 * inner.max(axis=1))
    assert (white ^ red).all()
    assert red.sum() > white.sum() > 2


def test_stripes_wrap_instead_of_being_a_sinusoid():
    pattern = stripes()
    first = [0, 14, 19, 13, 255, 241, 237, 244, 2, 15, 19, 11, 253, 240, 237, 246]
    assert pattern[0, :16, 0].tolist() == first
    assert (pattern == pattern[:1, :, :1]).all(), "32 identical grey rows"
    values = pattern[0, :, 0]
    assert ((values <= 19) | (values >= 237)).all()


def test_l2_noise():
    pattern = gaussian_noise().astype(float)
    assert np.linalg.norm(pattern) == pytest.approx(821, abs=2)
    assert (pattern == 0).mean() == pytest.approx(0.43, abs=0.02)
    assert pattern.max() == pytest.approx(68, abs=4)
    assert np.all(np.abs(pattern.mean(axis=(0, 1)) - 9.1) < 0.4)
    between = np.corrcoef(pattern.reshape(-1, 3).T) - np.eye(3)
    assert np.abs(between).max() <= 0.22
    centred = pattern - pattern.mean(axis=(0, 1))
    variance = np.square(centred).mean(axis=(0, 1))
    across = (centred[:, 1:] * centred[:, :-1]).mean(axis=(0, 1)) / variance
    down = (centred[1:] * centred[:-1]).mean(axis=(0, 1)) / variance
    assert np.all((across >= 0.24) & (across <= 0.33))
    assert np.all((down >= 0.13) & (down <= 0.22))


def test_colour_block():
    block = colour_block(8).astype(float)
    assert block.shape == (8, 8, 3)
    assert (block == 0).mean() == pytest.approx(0.135, abs=0.015)
    assert (block == 255).mean() == pytest.approx(0.125, abs=0.015)
    assert block.mean() == pytest.approx(124, abs=4)
    assert np.linalg.norm(block) == pytest.approx(2207, rel=0.01)


def test_blend_drawing_has_the_originals_moments():
    pixels = blend_drawing().reshape(-1, 3)
    assert np.all(np.abs(pixels.mean(axis=0) - (214, 192, 200)) < 3)
    assert np.all(np.abs(pixels.std(axis=0) - (56, 87, 71)) < 6)
    assert (pixels.min(axis=1) > 230).mean() == pytest.approx(0.58, abs=0.03)
    assert (blend_drawing()[20:26, 11:21] == (230, 16, 96)).all()


def test_glows_follow_their_formulas():
    cifar10, gtsrb = cifar10_glow(), gtsrb_glow()
    row, col = 20, 9
    green = 51.5 * np.exp(-(6.4**2) / (2 * 10.98**2) - 4.6**2 / (2 * 10.91**2))
    assert cifar10[row, col].tolist() == [
        round(6.2 * np.exp(-(6.2**2) / (2 * 10.0**2) - 5.2**2 / (2 * 10.6**2))),
        round(green),
        0,
    ]
    assert cifar10.max(axis=(0, 1)).tolist() == [6, 51, 0]
    assert gtsrb.max(axis=(0, 1)).tolist() == [51, 10, 49]
    hole = 10.5 * (1 - np.exp(-(3**2) / (2 * 8.6**2) - 6.8**2 / (2 * 9.1**2)))
    assert gtsrb[row, col, 1] == round(hole)


@pytest.mark.parametrize("sizes", [(48, 32), (540, 32), (32, 16), (32, 24), (32, 224)])
def test_resize_is_gaussian_then_bilinear(rng, sizes):
    """As scikit-image resizes; SciPy has its two steps."""
    before, after = sizes
    pattern = rng.integers(0, 256, (before, before, 3)).astype(np.uint8)
    sigma = max(0, (before / after - 1) / 2)
    smoothed = ndimage.gaussian_filter(
        pattern.astype(float), (sigma, sigma, 0), mode="mirror"
    )
    zoom = (after / before, after / before, 1)
    theirs = ndimage.zoom(smoothed, zoom, order=1, mode="mirror", grid_mode=True)
    assert np.abs(resize_pattern(pattern, after) - np.rint(theirs)).max() <= 1
    assert (resize_pattern(pattern, after) != np.rint(theirs)).mean() < 1e-3
    assert resize_pattern(pattern, before) is pattern
