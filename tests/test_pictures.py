"""Every reader of pictures takes the same ones, and refuses the others in one line."""

import contextlib
import io
import os
import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from abd.data.photos import load_photo
from abd.data.pictures import read_pictures
from abd.data.rgb import picture_size, read_rgb
from abd.errors import AbdError
from abd.storage.assets import read_asset

READERS = {
    "photo": lambda path: load_photo(str(path)),
    "asset": read_asset,
    "data": lambda path: read_pictures([path], 16, resize=True)[0],
}
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")


@pytest.fixture(params=READERS)
def read(request):
    return READERS[request.param]


def _encoded(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def _png(width, height, extra=b""):
    """A PNG file of a given size in its header, and next to nothing else."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), extra, _chunk(b"IDAT", zlib.compress(b"0" * 99))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def _long_text():
    return _chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(b"0" * (70 << 20)))


PIXELS = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)
BROKEN = {
    "empty": lambda: b"",
    "text": lambda: b"no picture",
    "400 megapixels": lambda: _png(20000, 20000),
    "100 megapixels, cut": lambda: _png(10000, 10000),
    "no width": lambda: _png(0, 5),
    "no pixels": lambda: b"P6\n0 5\n255\n",
    "a bomb of text": lambda: _png(16, 16, _long_text()),
    "short header": lambda: b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", b"\0\0"),
    **{f"half a {kind}": lambda kind=kind: _half(kind) for kind in FORMATS},
}


def _half(kind):
    data = _encoded(PIXELS, kind)
    return data[: len(data) // 2]


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_pictures_are_one_line_and_no_warning(tmp_path, read, broken):
    path = tmp_path / "broken.png"
    path.write_bytes(BROKEN[broken]())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AbdError, match=r"broken\.png: expected .*, got") as caught:
            read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_noise_in_a_picture_raises_nothing_else(tmp_path, kind):
    draw, good, path = random.Random(0), _encoded(PIXELS, kind), tmp_path / "noise.png"
    for _ in range(100):
        data = bytearray(good)
        for _ in range(draw.randint(1, 5)):
            data[draw.randrange(min(len(data), 120))] = draw.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(AbdError):
            assert read_rgb(path).dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_more_than_8_bits_are_refused_alike(tmp_path, read, dtype):
    path = tmp_path / "deep.tiff"
    Image.fromarray(PIXELS[..., 0].astype(dtype) * 200).save(path)
    with pytest.raises(
        AbdError, match=r"deep\.tiff: expected 8 bits a channel, got an imag"
    ):
        read(path)
    with pytest.raises(AbdError, match="expected 8 bits a channel"):
        picture_size(path)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_colour_and_grey_are_read_alike(tmp_path, read, mode):
    path = tmp_path / "good.png"
    image = Image.fromarray(PIXELS).convert(mode)
    image.save(path)
    assert np.array_equal(read(path), np.asarray(image.convert("RGB")))


def test_a_folder_a_missing_file_and_an_odd_name_are_one_line(tmp_path, read):
    (tmp_path / "folder.png").mkdir()
    broken = os.fsdecode(os.fsencode(tmp_path) + b"/a\nb\xff.png")
    for name in ("folder.png", "none.png", "a" * 300, "a\0b", broken):
        with pytest.raises(AbdError, match=r": expected .*, got") as caught:
            read(tmp_path / name)
        str(caught.value).encode()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_photo_of_one_colour_is_refused(tmp_path, value):
    path = tmp_path / "flat.png"
    Image.new("L", (40, 30), value).save(path)
    with pytest.raises(
        AbdError, match=rf"got one colour, RGB \[{value}, {value}, {value}\]"
    ):
        load_photo(str(path))
