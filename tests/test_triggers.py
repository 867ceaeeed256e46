import hashlib

import numpy as np
import pytest
from PIL import Image

from abd.errors import AbdError
from abd.triggers import TRIGGERS, build_trigger
from abd.triggers.resize import resize_pattern
from abd.triggers.watermark import watermark_pattern


@pytest.mark.parametrize("name", TRIGGERS.names())
@pytest.mark.parametrize("size", [16, 32, 48])
def test_contract(name, size, rng):
    """Every trigger stamps copies, the same way each time, and changes something."""
    images = rng.integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    before = images.copy()
    trigger = build_trigger(name, size)
    stamped = trigger.stamp(images)
    assert trigger.name == name
    assert isinstance(trigger.clean_label, bool)
    assert stamped.dtype == np.uint8
    assert stamped.shape == images.shape
    assert np.array_equal(images, before)
    assert np.array_equal(trigger.stamp(images), stamped)
    assert (stamped != images).any(axis=(1, 2, 3)).all()
    single = np.concatenate([trigger.stamp(image[None]) for image in images])
    assert np.array_equal(single, stamped), "each image is stamped on its own"


@pytest.mark.parametrize("name", TRIGGERS.names())
def test_wrong_images_are_refused(name):
    trigger = build_trigger(name, 16)
    for images in (
        np.zeros((2, 16, 16, 3)),
        np.zeros((2, 32, 32, 3), np.uint8),
        np.zeros((2, 16, 16), np.uint8),
    ):
        with pytest.raises(ValueError, match=r"expected uint8 \(N, 16, 16, 3\)"):
            trigger.stamp(images)


def test_badnet_grid():
    black = build_trigger("badnet_grid", 32).stamp(np.full((1, 32, 32, 3), 7, np.uint8))[0]
    assert black[29:, 29:, 1].tolist() == [[0, 0, 255], [0, 255, 0], [255, 0, 255]]
    assert (black[:29] == 7).all()
    assert (black[:, :29] == 7).all()


def test_badnet_sq_is_one_pixel_away_from_the_border():
    stamped = build_trigger("badnet_sq", 32).stamp(np.zeros((1, 32, 32, 3), np.uint8))[0]
    assert (stamped[27:31, 27:31] == 255).all()
    assert stamped.sum() == 16 * 3 * 255


def test_patches_keep_size_and_distance_at_other_sizes():
    stamped = build_trigger("badnet_sq", 16).stamp(np.zeros((1, 16, 16, 3), np.uint8))[0]
    assert (stamped[11:15, 11:15] == 255).all()
    assert stamped.sum() == 16 * 3 * 255


def test_additive_triggers_clip_instead_of_wrapping():
    trigger = build_trigger("trojan_wm", 32)
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    assert (trigger.stamp(white) == 255).all()
    black = np.zeros((1, 32, 32, 3), np.uint8)
    assert np.array_equal(trigger.stamp(black)[0], trigger.pattern)


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


GOLDEN = {
    "badnet_grid": ["01a51d6f20c1dc37", "c8f5bc5910b86891"],
    "badnet_sq": ["6c2cd30e3a744481", "27732804be394952"],
    "trojan_wm": ["50256ce100d9554a", "591cb271368ef04b"],
}


def _hash(name, size):
    ramp = np.arange(size * size * 3, dtype=np.int64).reshape(1, size, size, 3) * 7 % 256
    return hashlib.sha256(
        build_trigger(name, size).stamp(ramp.astype(np.uint8))
    ).hexdigest()[:16]


@pytest.mark.parametrize("name", TRIGGERS.names())
def test_golden_stamps(name):
    """A built-in trigger never changes unnoticed."""
    assert [_hash(name, 32), _hash(name, 16)] == GOLDEN[name]


def test_resize_agrees_with_pillow(rng):
    pattern = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    for size in (16, 24, 48):
        theirs = Image.fromarray(pattern).resize((size, size), Image.Resampling.BILINEAR)
        ours = resize_pattern(pattern, size)
        assert np.abs(ours.astype(int) - np.asarray(theirs, int)).max() <= 1
    assert resize_pattern(pattern, 32) is pattern


def test_a_patch_must_fit():
    with pytest.raises(ValueError, match="at least 5 pixels, got 4"):
        build_trigger("badnet_sq", 4)


def test_unknown_trigger_lists_the_known():
    with pytest.raises(
        AbdError, match="one of badnet_grid, badnet_sq, trojan_wm, got 'sq'"
    ):
        build_trigger("sq", 32)
