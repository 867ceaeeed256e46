"""Files in place of the triggers' own patterns; the originals stamp as the method says."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from abd.errors import AbdError
from abd.storage.assets import read_asset
from abd.triggers import AssetError, asset_names, build_trigger
from abd.triggers.smooth import cifar10_glow, gtsrb_glow

ORIGINALS = os.environ.get("ABD_TEST_ASSETS")
needs_originals = pytest.mark.skipif(
    not ORIGINALS, reason="ABD_TEST_ASSETS names no folder with the original pictures"
)
WITH_PATTERN = [
    "blend", "l0_inv", "l2_inv", "sig", "smooth", "trojan_3x3", "trojan_8x8", "trojan_wm",
]  # fmt: skip


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", [n for n in WITH_PATTERN if n != "l0_inv"])
def test_a_given_pattern_replaces_the_own(name, picture):
    assert np.array_equal(build_trigger(name, 32, pattern=picture).pattern, picture)


def test_a_given_mask_replaces_the_own(picture, images):
    mask = np.zeros((3, 16, 16), np.float32)
    mask[:, :4] = 0.5
    trigger = build_trigger("l0_inv", 16, mask=mask, pattern=picture[:16, :16])
    mixed = images * (1 - mask.transpose(1, 2, 0)).astype(float) + picture[:16, :16]
    assert np.array_equal(trigger.stamp(images), mixed.clip(0, 255).astype(np.uint8))


def test_patches_on_given_pictures_keep_their_distance_to_the_corner():
    given = np.zeros((32, 32, 3), np.uint8)
    given[26:29, 24:30] = 200
    for size in (16, 48):
        pattern = build_trigger("trojan_8x8", size, pattern=given).pattern
        rows, cols = np.nonzero(pattern[:, :, 0])
        assert (size - rows.max(), size - cols.max()) == (32 - 28, 32 - 29)
        assert pattern.sum() == given.sum()
    given[2, 31] = 1
    with pytest.raises(
        ValueError, match="trojan_8x8: expected images of at least 30 pixels"
    ):
        build_trigger("trojan_8x8", 16, pattern=given)


@pytest.mark.parametrize("name", WITH_PATTERN)
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((32, 30, 3), np.uint8), "RGB picture, got (32, 30, 3)"),
        (np.ones((32, 32), np.uint8), "RGB picture, got (32, 32)"),
        (np.ones((32, 32, 3)), "expected 8 bits a channel, got float64"),
        (np.zeros((32, 32, 3), np.uint8), "expected a pattern, got a black picture"),
        (np.array(7), "RGB picture, got ()"),
    ],
)
def test_what_is_no_pattern_is_named(name, array, message):
    with pytest.raises(AssetError) as caught:
        build_trigger(name, 32, pattern=array)
    assert message in str(caught.value)
    assert caught.value.asset == "pattern"


@pytest.mark.parametrize("name", [n for n in WITH_PATTERN if n != "blend"])
def test_all_but_blend_know_the_size(name):
    with pytest.raises(AssetError, match="expected a 16x16 or 32x32 RGB picture, got"):
        build_trigger(name, 16, pattern=np.ones((20, 20, 3), np.uint8))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((32, 32, 3)), r"expected an array \(3, S, S\), got \(32, 32, 3\)"),
        (np.ones((3, 16, 16)), "expected the pattern's 32 pixels, got 16"),
        (np.full((3, 32, 32), 255.0), "expected numbers in 0..1"),
        (np.full((3, 32, 32), np.nan), "expected numbers in 0..1"),
        (np.full((3, 32, 32), "x"), "expected numbers in 0..1"),
    ],
)
def test_what_is_no_mask_is_named(mask, message):
    with pytest.raises(AssetError, match=message) as caught:
        build_trigger("l0_inv", 32, mask=mask)
    assert caught.value.asset == "mask"


NO_PICTURE = "expected an RGB or grey picture, or an .npy array, got"
NO_ARRAY = "expected an .npy array, got something else, or a damaged one"


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("text.png", lambda path: path.write_text("no picture"), NO_PICTURE),
        ("rgba.png", lambda path: Image.new("RGBA", (32, 32)).save(path), NO_PICTURE),
        ("none.npy", lambda path: None, "No such file"),
        ("empty.npy", lambda path: path.write_bytes(b""), NO_ARRAY),
        ("text.npy", lambda path: path.write_text("no array"), NO_ARRAY),
        ("zip.npy", lambda path: np.savez(path.open("wb"), mask=np.ones(3)), NO_ARRAY),
        ("objects.npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), "expected numbers or text, got Python objects"),
    ],
)  # fmt: skip
def test_files_that_are_no_assets(tmp_path, name, write, message):
    path = tmp_path / name
    write(path)
    with pytest.raises(AbdError) as caught:
        read_asset(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value)


def _original(file):
    """A picture as the reference reads it, (H, W, 3) in float64."""
    return np.asarray(Image.open(Path(ORIGINALS, file)).convert("RGB"), float)


def _blend_32():
    sigma = (540 / 32 - 1) / 2
    smooth = ndimage.gaussian_filter(
        _original("blend.png"), (sigma, sigma, 0), mode="mirror"
    )
    zoom = (32 / 540, 32 / 540, 1)
    small = ndimage.zoom(smooth, zoom, order=1, mode="mirror", grid_mode=True)
    return np.rint(small).astype(np.uint8)


def _stretched(x):
    low = x.min(axis=(1, 2, 3), keepdims=True)
    return (x - low) / (x.max(axis=(1, 2, 3), keepdims=True) - low) * 255


STAMPED = {  # section 2, written out
    "blend": lambda x: 0.8 * x + 0.2 * _blend_32(),
    "sig": lambda x: 0.8 * x + 0.2 * _original("sig.png"),
    "l0_inv": lambda x: (
        x * (1 - np.load(Path(ORIGINALS, "mask.npy")).transpose(1, 2, 0))
        + _original("l0_inv.png")
    ),
    "l2_inv": lambda x: x + _original("l2_inv.png"),
    "trojan_3x3": lambda x: x + _original("trojan_3x3.png"),
    "trojan_8x8": lambda x: x + _original("trojan_8x8.png"),
    "trojan_wm": lambda x: x + _original("trojan_wm.png"),
    "smooth": lambda x: _stretched(x + _original("smooth_cifar10.png")),
}


def _given(name):
    """The trigger with the original's files, read as the stage reads them."""
    stem = "smooth_cifar10" if name == "smooth" else name
    files = {"pattern": f"{stem}.png", "mask": "mask.npy"}
    wanted = {asset: files[asset] for asset in asset_names(name)}
    arrays = {asset: read_asset(Path(ORIGINALS, file)) for asset, file in wanted.items()}
    return build_trigger(name, 32, **arrays)


@needs_originals
@pytest.mark.parametrize("name", WITH_PATTERN)
def test_the_originals_stamp_pixel_for_pixel(name, rng):
    images = rng.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    wanted = STAMPED[name](images.astype(float)).clip(0, 255).astype(np.uint8)
    assert np.array_equal(_given(name).stamp(images), wanted)


@needs_originals
@pytest.mark.parametrize("name", ["l0_inv", "sig", "trojan_3x3"])
def test_exact_patterns_are_the_originals(name, rng):
    images = rng.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    assert np.array_equal(build_trigger(name, 32).stamp(images), _given(name).stamp(images))


@needs_originals
def test_glows_are_within_the_residuals_that_the_method_gives():
    assert np.abs(cifar10_glow() - _original("smooth_cifar10.png")).max() <= 2
    assert np.abs(gtsrb_glow() - _original("smooth_gtsrb.png")).max() <= 3
