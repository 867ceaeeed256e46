import pytest
import torch

from abd.augment import cutmix, random_crop, random_hflip
from abd.pixels import Normalization, to_pixels
from abd.seeding import derive_seed, numpy_stream, torch_stream


@pytest.fixture
def pixels(stream):
    return torch.randint(1, 256, (64, 3, 8, 8), generator=stream).to(torch.uint8)


def test_crops_are_shifts_with_black_borders(pixels, stream):
    cropped = random_crop(pixels, 2, stream)
    padded = torch.nn.functional.pad(pixels, (2, 2, 2, 2))
    places = set()
    for image, source in zip(cropped, padded, strict=True):
        found = [
            (r, c)
            for r in range(5)
            for c in range(5)
            if torch.equal(source[:, r : r + 8, c : c + 8], image)
        ]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 15, "all 25 places are drawn from"


def test_no_padding_is_no_change(pixels, stream):
    assert torch.equal(random_crop(pixels, 0, stream), pixels)


def test_flips_half_of_the_images(pixels, stream):
    flipped = random_hflip(pixels, stream)
    kept = [torch.equal(a, b) for a, b in zip(flipped, pixels, strict=True)]
    turned = [torch.equal(a, b.flip(2)) for a, b in zip(flipped, pixels, strict=True)]
    assert all(k or t for k, t in zip(kept, turned, strict=True))
    assert 20 < sum(kept) < 44


def test_cutmix_pastes_one_box_from_one_permutation(pixels):
    changed_somewhere = False
    for seed in range(20):
        mixed = cutmix(pixels, 0.25, torch_stream(seed, "m"))
        mask = (mixed != pixels).any(0).any(0)
        rows, cols = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        if len(rows) == 0:
            continue
        changed_somewhere = True
        box = (..., slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
        inside = {t.numpy().tobytes() for t in pixels[box]}
        assert {t.numpy().tobytes() for t in mixed[box]} == inside
    assert changed_somewhere


def test_cutmix_boxes_have_the_share_of_beta():
    """Beta(1, 1) is uniform: the unclipped box's mean area is half the image."""
    pixels = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    pixels[1] = 1
    areas = []
    for seed in range(300):
        mixed = cutmix(pixels, 1.0, torch_stream(seed, "area"))
        areas.append((mixed[0] != 0).float().mean().item())
    # Half of the permutations of two swap; clipping at the border takes more away.
    assert 0.08 < sum(areas) / 300 < 0.25


def test_normalisation_by_hand():
    normalize = Normalization((0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    pixels = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 3, 1, 1)
    assert normalize(pixels).flatten().tolist() == pytest.approx([-1.0, 3.0, 0.2])


def test_normalisation_leaves_its_input_alone():
    pixels = torch.full((1, 3, 2, 2), 9.0).contiguous(memory_format=torch.channels_last)
    Normalization((0.5,) * 3, (0.25,) * 3)(pixels)
    assert (pixels == 9.0).all()


def test_pixels_are_channels_first(images):
    pixels = to_pixels(images)
    assert pixels.shape == (12, 3, 16, 16)
    assert pixels[3, 2, 5, 7] == images[3, 5, 7, 2]


def test_streams_are_named():
    assert derive_seed(0, "a", 1) == derive_seed(0, "a", 1)
    seeds = {derive_seed(s, n, i) for s in range(5) for n in "ab" for i in range(5)}
    assert len(seeds) == 50
    assert derive_seed(1, "1") != derive_seed(11)
    first = numpy_stream(0, "x").random(3)
    assert (numpy_stream(0, "x").random(3) == first).all()


def test_streams_leave_the_global_generators_alone():
    before = torch.get_rng_state()
    torch.rand(3, generator=torch_stream(0, "x"))
    assert torch.equal(torch.get_rng_state(), before)
