"""Odd .npz files of users: each is refused in one line that advises nothing unsafe."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from abd.data.own import describe_own, load_own
from abd.errors import AbdError
from tests.raw_data import arrays, write_npz

MEMBER = "x_train.npy"


def _set(data, signature, offset, value):
    """Overwrite two bytes in every zip record of one kind."""
    for at in _places(data, signature):
        data[at + offset : at + offset + 2] = struct.pack("<H", value)


def _places(data, signature):
    at = data.find(signature)
    while at >= 0:
        yield at
        at = data.find(signature, at + 4)


def _flagged(path, local, central, value):
    data = bytearray(path.read_bytes())
    _set(data, b"PK\x03\x04", local, value)
    _set(data, b"PK\x01\x02", central, value)
    path.write_bytes(data)


def _encrypt(path):
    _flagged(path, 6, 8, 1)


def _compress_by_an_unknown_method(path):
    _flagged(path, 8, 10, 99)


def _flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)


def _cut(path):
    path.write_bytes(path.read_bytes()[:20000])


def _garble_what_is_compressed(path):
    np.savez_compressed(path, **arrays())
    data = bytearray(path.read_bytes())
    data[200:40000:50] = b"\x55" * len(data[200:40000:50])
    path.write_bytes(data)


def _member(change, name=MEMBER):
    """Replace the member x_train.npy by `change` of its bytes, under another name."""
    return lambda path: _rewrite(path, lambda own: {name: change(own.pop(MEMBER))})


def _rewrite(path, changed):
    """Write the file anew with the members that `changed` makes of its own."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    new = changed(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, **new}.items():
            archive.writestr(name, data)


def _objects(_):
    file = io.BytesIO()
    np.save(file, np.array([{}] * 60, object), allow_pickle=True)
    return file.getvalue()


def _declaring(shape):
    text = (
        f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


LONG_HEADER = b"\x93NUMPY\x02\x00" + struct.pack("<I", 20000) + b" " * 20000
NO_ARRAY = "x_train: expected an .npy array, got something else, or a damaged one"
FAULTS = {  # and whether planning finds them, which reads headers alone
    "encrypted": (_encrypt, "x_train: expected an array, got .* is encrypted", True),
    "method": (_compress_by_an_unknown_method, "x_train: expected an array, got .*compression method", True),
    "no .npy": (_member(bytes, "x_train"), "expected the arrays .*, each as NAME.npy, got no x_train", True),
    "text": (_member(lambda _: b"hello" * 50), NO_ARRAY, True),
    "empty": (_member(lambda _: b""), NO_ARRAY, True),
    "header": (_member(lambda data: data[:10] + b"(" * 40 + data[50:]), NO_ARRAY, True),
    "cut header": (_member(lambda data: data[:60]), NO_ARRAY, True),
    "long header": (_member(lambda _: LONG_HEADER), NO_ARRAY, True),
    "scalar": (_member(lambda _: _declaring("()")), r"x_train: expected uint8 .*, got uint8 \(\)", True),
    "objects": (_member(_objects), "x_train: expected uint8 .*, got object", True),
    "cut array": (_member(lambda data: data[:500]), "x_train: expected a whole array, got EOF", False),
    "bit": (_flip_a_bit, "x_train: expected a whole array, got Bad CRC", False),
    "deflated": (_garble_what_is_compressed, "x_train: expected a whole array, got", False),
    "cut file": (_cut, "expected an .npz file, got File is not a zip file", True),
    "text file": (lambda path: path.write_text("hello\n" * 9), "expected an .npz file, got File is not a zip file", True),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"x_train": 1})), "expected an .npz file, got", True),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message", "planned"), FAULTS.values(), ids=FAULTS)
def test_odd_files_are_one_line(tmp_path, spoil, message, planned):
    path = write_npz(tmp_path / "own.npz")
    spoil(path)
    readers = [lambda: load_own(path, 16, resize=False)]
    if planned:
        readers.append(lambda: describe_own(path, None))
    for read in readers:
        with pytest.raises(AbdError, match=f"own.npz: {message}") as caught:
            read()
        assert "\n" not in str(caught.value)
        assert "pickle" not in str(caught.value)


def test_an_array_larger_than_the_memory_is_one_line(tmp_path):
    """The labels declare as many, so that only reading them can find it."""
    path, n = write_npz(tmp_path / "own.npz"), 10**14
    huge = {MEMBER: _declaring((n, 16, 16, 3)), "y_train.npy": _declaring((n,))}
    _rewrite(path, lambda _: huge)
    with pytest.raises(AbdError, match="x_train: expected a whole array, got Unable to al"):
        load_own(path, 16, resize=False)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "expected every name once, got 'a' more than once"),
        (["a", "", "b"], "expected a name for every class, got '' for class 1"),
        (["a", "  ", "b"], "expected a name for every class, got '  ' for class 1"),
        (
            ["a", "b", "x\ny"],
            r"expected names in UTF-8 without .*, got 'x\\ny' for class 2",
        ),
        (["a", "\x1b[31m", "b"], r"expected names in UTF-8 without .*, got '\\x1b\[31m'"),
        (["a", "\udcff", "b"], r"expected names in UTF-8 without .*, got '\\udcff'"),
        ([b"a", b"b", b"c"], r"expected text \(K,\), got \|S1 \(3,\)"),
        ([], r"expected text \(K,\), got float64 \(0,\)"),
        (["a"], "expected 2 or more, got 1"),
    ],
)
def test_class_names_that_cannot_be_printed_or_told_apart(tmp_path, names, message):
    path = write_npz(tmp_path / "own.npz", class_names=np.array(names))
    for read in (
        lambda: describe_own(path, None),
        lambda: load_own(path, 16, resize=False),
    ):
        with pytest.raises(AbdError, match=f"own.npz: class_names: {message}") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_class_names_in_any_script_are_taken(tmp_path):
    names = ("naïve café", "猫", "می‌خواهم")
    path = write_npz(tmp_path / "own.npz", class_names=np.array(names))
    assert load_own(path, 16, resize=False).class_names == names


@pytest.mark.parametrize("label", [0, -5])
def test_one_class_alone_is_found_by_planning(tmp_path, label):
    labels = np.full(60, label)
    path = write_npz(tmp_path / "own.npz", y_train=labels, class_names=None)
    with pytest.raises(AbdError, match=f"y_train: expected labels of 2 .* above {label}"):
        describe_own(path, None)
