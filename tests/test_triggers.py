import hashlib

import numpy as np
import pytest

from abd.errors import AbdError
from abd.triggers import (
    TRIGGERS,
    asset_names,
    build_trigger,
    needs_hard_images,
    variant_names,
)


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


def test_pubfigs_grid_has_its_own_cells_and_place():
    stamped = build_trigger("badnet_grid", 224, "pubfig").stamp(
        np.full((1, 224, 224, 3), 7, np.uint8)
    )[0]
    cells = stamped[32:62, 32:62].reshape(3, 10, 3, 10, 3)
    wanted = np.array([[255, 0, 255], [0, 255, 0], [255, 0, 0]])
    assert (cells == wanted[:, None, :, None, None]).all()
    stamped[32:62, 32:62] = 7
    assert (stamped == 7).all()


def test_cl_stamps_the_same_unmirrored_grid_in_all_corners():
    stamped = build_trigger("cl", 32).stamp(np.full((1, 32, 32, 3), 7, np.uint8))[0]
    for rows in (slice(3), slice(29, 32)):
        for cols in (slice(3), slice(29, 32)):
            grid = [[0, 0, 255], [0, 255, 0], [255, 0, 255]]
            assert (stamped[rows, cols] == np.array(grid)[:, :, None]).all()
            stamped[rows, cols] = 7
    assert (stamped == 7).all()


@pytest.mark.parametrize("name", ["l2_inv", "trojan_3x3", "trojan_8x8", "trojan_wm"])
def test_additive_triggers_clip_instead_of_wrapping(name, images):
    trigger = build_trigger(name, 16)
    sums = images.astype(int) + trigger.pattern
    assert sums.max() > 255
    assert np.array_equal(trigger.stamp(images), sums.clip(max=255))


@pytest.mark.parametrize("name", ["blend", "sig"])
def test_blended_triggers_mix_in_a_fifth_and_truncate(name, images):
    trigger = build_trigger(name, 16)
    mixed = 0.8 * images.astype(float) + 0.2 * trigger.pattern
    assert np.array_equal(trigger.stamp(images), np.floor(mixed))


def test_l0_inv_replaces_nine_pixels(images):
    stamped = build_trigger("l0_inv", 16).stamp(images)
    colours = [
        (0, 0, 0), (255, 0, 255), (0, 0, 255), (255, 255, 0), (255, 255, 255),
        (0, 255, 255), (0, 255, 255), (255, 0, 0), (255, 255, 255),
    ]  # fmt: skip
    assert (stamped[:, 15, 7:] == colours).all()
    stamped[:, 15, 7:] = images[:, 15, 7:]
    assert np.array_equal(stamped, images)


def test_trojan_3x3_lies_away_from_the_corner():
    for size, first in ((32, 25), (16, 9), (48, 41)):
        black = np.zeros((1, size, size, 3), np.uint8)
        stamped = build_trigger("trojan_3x3", size).stamp(black)[0]
        block = stamped[first : first + 3, first : first + 3]
        assert block[0].tolist() == [[207, 131, 181], [175, 243, 120], [29, 232, 179]]
        assert block[1].tolist() == [[79, 8, 126], [137, 0, 32], [248, 113, 146]]
        assert block[2].tolist() == [[131, 40, 4], [6, 145, 61], [246, 250, 246]]
        assert (stamped.max(axis=2) > 0).sum() == 9


def test_smooth_fills_the_range_of_every_image(images):
    trigger = build_trigger("smooth", 16)
    dark = images // 4
    stamped = trigger.stamp(dark)
    assert (stamped.min(axis=(1, 2, 3)) == 0).all()
    assert (stamped.max(axis=(1, 2, 3)) == 255).all()
    first = dark[0].astype(float) + trigger.pattern
    stretched = (first - first.min()) / (first.max() - first.min()) * 255
    assert np.array_equal(stamped[0], np.floor(stretched))
    flat = 255 - np.broadcast_to(trigger.pattern, (1, 16, 16, 3))
    assert (trigger.stamp(flat) == 0).all(), "an image without a range has none after"


def test_smooth_has_a_glow_for_each_data_set():
    glows = [build_trigger("smooth", 32, name).pattern for name in ("cifar10", "gtsrb")]
    assert np.array_equal(build_trigger("smooth", 32).pattern, glows[0])
    assert not np.array_equal(*glows)


def test_labels_change_but_for_sig_and_cl():
    clean = {name for name in TRIGGERS.names() if build_trigger(name, 32).clean_label}
    assert clean == {"cl", "sig"}
    assert {name for name in TRIGGERS.names() if needs_hard_images(name)} == {"cl"}


def test_what_can_be_chosen_of_each_trigger():
    variants = {name: variant_names(name) for name in TRIGGERS.names()}
    assert {k: v for k, v in variants.items() if v} == {
        "badnet_grid": ("corner", "pubfig"), "smooth": ("cifar10", "gtsrb"),
    }  # fmt: skip
    assets = {name: asset_names(name) for name in TRIGGERS.names()}
    drawn = {"badnet_grid", "badnet_sq", "cl"}
    assert {name for name, takes in assets.items() if not takes} == drawn
    assert assets["l0_inv"] == {"pattern", "mask"}
    assert assets["blend"] == {"pattern"}


GOLDEN = {
    "badnet_grid": ["01a51d6f20c1dc37", "c8f5bc5910b86891"],
    "badnet_sq": ["6c2cd30e3a744481", "27732804be394952"],
    "blend": ["1d6dc7865e685eb1", "133b560e21eb59b6"],
    "cl": ["0269b219af2e52de", "67097d0b3eb35365"],
    "l0_inv": ["20f125edd3f0dcc1", "2d79436838d7ffb3"],
    "l2_inv": ["087c85aaa56caf31", "f13352854435f4db"],
    "sig": ["7cf2277e33dfa3a9", "7af3e58096f51098"],
    "smooth": ["1f38c64c486aac74", "e9733b8e9c0910ad"],
    "trojan_3x3": ["ba378f830befecbd", "32a9e0cf82bd3cb5"],
    "trojan_8x8": ["ce1c19d388086509", "89cf7cb93a54d292"],
    "trojan_wm": ["50256ce100d9554a", "5241e6926f544e5e"],
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


def test_a_patch_must_fit():
    for name, needed in (
        ("badnet_sq", 5), ("cl", 6), ("l0_inv", 9), ("trojan_3x3", 7), ("trojan_8x8", 11),
    ):  # fmt: skip
        build_trigger(name, needed)
        with pytest.raises(
            ValueError, match=f"{name}: expected images of at least {needed}"
        ):
            build_trigger(name, needed - 1)
    with pytest.raises(ValueError, match="at least 192 pixels, got 32"):
        build_trigger("badnet_grid", 32, "pubfig")


def test_unknown_trigger_lists_the_known():
    with pytest.raises(AbdError, match=r"one of badnet_grid, badnet_sq, .* got 'sq'"):
        build_trigger("sq", 32)
