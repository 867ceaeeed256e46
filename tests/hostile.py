"""Writes files that pretend to be a network's weights: `CORPUS` has a maker for each.

A maker is given a folder, a network's honest state dict, and a marker: a path that the code
in a file would make if anything ran it. It returns the path of the file.
"""

import gzip
import io
import json
import os
import pickle
import random
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save

CORPUS = {}
# Where an archive's bits are flipped, shares of its length: in what is read. One in the date
# of a member changes nothing, and nothing sees it.
FLIPS = (0.001, 0.02, 0.3, 0.6, 0.9, 0.97)
# Code by the ways that a pickle can name it.
CALLS = {
    "os_system": lambda marker: (os.system, (f"touch {marker}",)),
    "eval": lambda marker: (eval, (f"open({str(marker)!r}, 'w')",)),
    "exec": lambda marker: (exec, (f"open({str(marker)!r}, 'w')",)),
    "open": lambda marker: (open, (str(marker), "w")),
    "mkdir": lambda marker: (os.mkdir, (str(marker),)),
    "path_touch": lambda marker: (Path.touch, (marker,)),
    "getattr": lambda marker: (getattr, (Path(marker), "touch")),
}


class Evil:
    """An object whose unpickling calls a function."""

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


def maker(name):
    """Add a maker to the corpus."""

    def add(make):
        CORPUS[name] = make
        return make

    return add


def saved(weights, **options):
    """The bytes of torch.save."""
    stream = io.BytesIO()
    torch.save(weights, stream, **options)
    return stream.getvalue()


def written(path, data):
    path.write_bytes(data)
    return path


def of_bytes(name, suffix=".pt"):
    """Add a maker that gives bytes."""

    def add(make):
        CORPUS[name] = lambda folder, weights, marker: written(
            folder / f"{name}{suffix}", make(weights, marker)
        )
        return make

    return add


# ---- pickles that would run code ---------------------------------------------------------
for _way, _call in CALLS.items():

    @of_bytes(f"zip_that_calls_{_way}")
    def _(weights, marker, call=_call):
        return saved({**weights, "evil": Evil(call(marker))})

    @of_bytes(f"bare_pickle_that_calls_{_way}")
    def _(weights, marker, call=_call):
        return pickle.dumps({"evil": Evil(call(marker))}, 2)


for _protocol in (0, 3, 4, 5):

    @of_bytes(f"pickle_of_protocol_{_protocol}")
    def _(weights, marker, protocol=_protocol):
        return pickle.dumps(Evil(CALLS["os_system"](marker)), protocol)


@of_bytes("old_format_that_calls")
def _(weights, marker):
    evil = {**weights, "evil": Evil(CALLS["os_system"](marker))}
    return saved(evil, _use_new_zipfile_serialization=False)


@of_bytes("pickle_named_safetensors", ".safetensors")
def _(weights, marker):
    return pickle.dumps(Evil(CALLS["os_system"](marker)), 2)


@of_bytes("zip_named_safetensors", ".safetensors")
def _(weights, marker):
    return saved({**weights, "evil": Evil(CALLS["os_system"](marker))})


@of_bytes("evil_within_a_wrapper")
def _(weights, marker):
    return saved({"state_dict": weights, "epoch": Evil(CALLS["os_system"](marker))})


@of_bytes("a_whole_module")
def _(weights, marker):
    return saved(torch.nn.Linear(2, 2))


@maker("torchscript")
def _(folder, weights, marker):
    path = folder / "torchscript.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    return path


# ---- pickles that want much memory -------------------------------------------------------
@of_bytes("a_gigantic_bytearray")
def _(weights, marker):
    return (
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05"
        + (3 * 2**30).to_bytes(5, "little")  # which a machine may well have
        + b"\x85R."
    )


@of_bytes("lists_of_lists_of_lists")
def _(weights, marker):
    nested = [0]
    for _ in range(60):
        nested = [nested, nested]
    return saved(nested)


@of_bytes("a_tensor_of_one_number_over_and_over")
def _(weights, marker):
    return saved({**weights, "linear.bias": torch.zeros(1).expand(2**40)})


# ---- archives ----------------------------------------------------------------------------
for _share in FLIPS:

    @of_bytes(f"bit_flipped_at_{_share}")
    def _(weights, marker, share=_share):
        data = bytearray(saved(weights))
        data[int(share * len(data))] ^= 0x10
        return bytes(data)


for _share in (0.1, 0.5, 0.99):

    @of_bytes(f"cut_at_{_share}")
    def _(weights, marker, share=_share):
        data = saved(weights)
        return data[: int(share * len(data))]


def repacked(weights, change):
    """An archive of torch.save whose members (name, data) were changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(weights))) as old:
        members = [(name, old.read(name)) for name in old.namelist()]
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as new:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, data, how in change(members):
            new.writestr(name, data, how)
    return stream.getvalue()


def exported(weights, change=lambda table, members: None):
    """An archive as torch.export.save writes it, but for the program; changed."""
    numbers = {torch.float32: 7, torch.int64: 5}
    table, members = {}, {}
    for i, (name, tensor) in enumerate(weights.items()):
        members[f"weight_{i}"] = tensor.contiguous().numpy().tobytes()
        meta = {
            "dtype": numbers[tensor.dtype],
            "sizes": [{"as_int": n} for n in tensor.shape],
            "strides": [{"as_int": n} for n in tensor.contiguous().stride()],
            "storage_offset": {"as_int": 0},
        }
        entry = {"path_name": f"weight_{i}", "use_pickle": False, "tensor_meta": meta}
        table[name] = entry
    change(table, members)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("e/archive_format", b"pt2")
        for name, data in members.items():
            archive.writestr(f"e/data/weights/{name}", data)
        text = json.dumps({"config": table})
        archive.writestr("e/data/weights/model_weights_config.json", text)
    return stream.getvalue()


def _meta(key, value):
    def change(table, members):
        table["linear.weight"]["tensor_meta"][key] = value

    return change


def _entry(key, value):
    def change(table, members):
        table["linear.weight"][key] = value

    return change


LONG = [{"as_int": 2**20}, {"as_int": 2**20}]
for _name, _change in {
    "sizes_beyond": _meta("sizes", LONG),
    "strides_beyond": _meta("strides", LONG),
    "sizes_below_zero": _meta("sizes", [{"as_int": -4}, {"as_int": -64}]),
    "sizes_of_text": _meta("sizes", [{"as_int": "4"}, {"as_int": "64"}]),
    "offset_beyond": _meta("storage_offset", {"as_int": 2**40}),
    "other_numbers": _meta("dtype", 12),
    "no_meta": _entry("tensor_meta", None),
    "climbing": _entry("path_name", "../../../evil"),
    "absent": _entry("path_name", "weight_999"),
    "lacking": lambda table, members: table.pop("linear.weight"),
    "a_list": lambda table, members: table.update({"linear.weight": [1]}),
}.items():

    @of_bytes(f"exported_{_name}", ".pt2")
    def _(weights, marker, change=_change):
        return exported(weights, change)


@of_bytes("exported_symbols", ".pt2")
def _(weights, marker):
    """Torch's own reader would evaluate the text of a size."""
    symbol = {"as_expr": {"expr_str": f"open({str(marker)!r}, 'w')"}}
    return exported(weights, _meta("sizes", [symbol, {"as_int": 64}]))


@of_bytes("exported_repeating", ".pt2")
def _(weights, marker):
    """A number that strides of none repeat a thousand times a million."""

    def change(table, members):
        meta = table["linear.weight"]["tensor_meta"]
        meta["sizes"], meta["strides"] = LONG, [{"as_int": 0}] * 2

    return exported(weights, change)


@of_bytes("exported_pickle", ".pt2")
def _(weights, marker):
    def change(table, members):
        entry = table["linear.weight"]
        entry["use_pickle"] = True
        members[entry["path_name"]] = pickle.dumps(Evil(CALLS["os_system"](marker)), 2)

    return exported(weights, change)


@of_bytes("exported_without_a_table", ".pt2")
def _(weights, marker):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("e/archive_format", b"pt2")
        archive.writestr("e/data.pkl", pickle.dumps(Evil(CALLS["os_system"](marker)), 2))
    return stream.getvalue()


@of_bytes("compressed_bomb")
def _(weights, marker):
    def change(members):
        yield from ((name, data, zipfile.ZIP_STORED) for name, data in members)
        yield "archive/data/999", bytes(2**28), zipfile.ZIP_DEFLATED

    return repacked(weights, change)


for _name in ("../../evil", "/tmp/evil", "archive/..\\evil"):

    @of_bytes(f"member_named_{_name.replace('/', '_').replace(chr(92), '_')}")
    def _(weights, marker, name=_name):
        def change(members):
            yield from ((own, data, zipfile.ZIP_STORED) for own, data in members)
            yield name, b"evil", zipfile.ZIP_STORED

        return repacked(weights, change)


@of_bytes("pickle_there_twice")
def _(weights, marker):
    evil = pickle.dumps(Evil(CALLS["os_system"](marker)), 2)

    def change(members):
        for name, data in members:
            yield name, data, zipfile.ZIP_STORED
            if name.endswith("data.pkl"):
                yield name, evil, zipfile.ZIP_STORED

    return repacked(weights, change)


@of_bytes("archive_without_a_pickle")
def _(weights, marker):
    return repacked(
        weights, lambda members: [(n, d, 0) for n, d in members if "data.pkl" not in n]
    )


@of_bytes("seven_zip")
def _(weights, marker):
    return b"7z\xbc\xaf\x27\x1c" + random.Random(0).randbytes(500)


@of_bytes("gzip_named_pt")
def _(weights, marker):
    return gzip.compress(saved(weights))


@maker("tar_named_pt")
def _(folder, weights, marker):
    path = folder / "tar_named_pt.pt"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("../evil")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    return path


# ---- safetensors -------------------------------------------------------------------------
def framed(header, data, length=None):
    """A safetensors file of a header (text or JSON-able) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(start, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


HEADERS = {
    "header_that_is_cut": (b'{"a": {"dtype"', b""),
    "header_that_is_no_json": (b"{" * 64, b""),
    "header_nested_deeply": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b""),
    "names_there_twice": (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        bytes(8),
    ),
    "buffers_that_overlap": ({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
    "buffers_with_a_hole": ({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20)),
    "buffer_beyond_the_end": ({"a": entry(0, 8)}, bytes(4)),
    "bytes_that_no_name_has": ({"a": entry(0, 8)}, bytes(400)),
    "offsets_backwards": ({"a": entry(8, 0)}, bytes(8)),
    "shape_that_overflows": ({"a": entry(0, 8, (2**40, 2**40))}, bytes(8)),
    "shape_of_terabytes": ({"a": entry(0, 8, (2**42,))}, bytes(8)),
    "shape_below_zero": ({"a": entry(0, 8, (-2,))}, bytes(8)),
    "dtype_that_is_none": ({"a": entry(0, 8, dtype="F33")}, bytes(8)),
    "name_that_climbs": ({"../../evil": entry(0, 8)}, bytes(8)),
    "name_with_line_breaks": ({"a\nabd: done\x1b[2J": entry(0, 8)}, bytes(8)),
}
for _name, (_header, _data) in HEADERS.items():

    @of_bytes(_name, ".safetensors")
    def _(weights, marker, header=_header, data=_data):
        return framed(header, data)


for _length in (2**63 - 1, 2**64 - 1, 10**9):

    @of_bytes(f"header_of_{_length}_bytes", ".safetensors")
    def _(weights, marker, length=_length):
        return framed({"a": entry(0, 8)}, bytes(8), length)


for _dtype in ("F4", "F8_E4M3", "C64", "BOOL"):

    @of_bytes(f"numbers_of_{_dtype}", ".safetensors")
    def _(weights, marker, dtype=_dtype):
        bits = {"F4": 4, "F8_E4M3": 8, "C64": 64, "BOOL": 8}[dtype]
        header, data = {}, b""
        for name, tensor in weights.items():
            size = -(-tensor.numel() * bits // 8)
            header[name] = entry(len(data), len(data) + size, tensor.shape, dtype)
            data += bytes(size)
        return framed(header, data)


@of_bytes("a_million_empty_tensors", ".safetensors")
def _(weights, marker):
    return framed({f"t{i}": entry(0, 0, (0,)) for i in range(300_000)}, b"")


@of_bytes("a_name_of_megabytes", ".safetensors")
def _(weights, marker):
    return framed({"a" * 2**23: entry(0, 8)}, bytes(8))


@of_bytes("archive_with_its_end_hidden")
def _(weights, marker):
    evil = saved({**weights, "evil": Evil(CALLS["os_system"](marker))})
    return evil + bytes(66_000)


# ---- honest formats, dishonest weights ---------------------------------------------------
def changed(name, value):
    return lambda weights: {**weights, name: value(weights[name])}


WEIGHTS = {
    "nan": changed("linear.bias", lambda t: torch.full_like(t, float("nan"))),
    "inf": changed("linear.weight", lambda t: t.clone().fill_(float("inf"))),
    "missing": lambda weights: {k: v for k, v in weights.items() if k != "linear.bias"},
    "extra": lambda weights: {**weights, "backdoor.weight": torch.zeros(3)},
    "shape": changed("linear.bias", lambda t: torch.zeros(len(t) + 1)),
    "integers": changed("linear.bias", lambda t: torch.zeros(len(t), dtype=torch.int64)),
    "none": lambda weights: {},
}
for _name, _change in WEIGHTS.items():

    @of_bytes(f"weights_{_name}", ".safetensors")
    def _(weights, marker, change=_change):
        return save(change(weights))

    @of_bytes(f"saved_weights_{_name}")
    def _(weights, marker, change=_change):
        return saved(change(weights))


ODD = {
    "sparse": lambda t: t.to_sparse(),
    "quantized": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "meta": lambda t: t.to("meta"),
    "complex": lambda t: t.to(torch.complex64),
}
for _name, _value in ODD.items():

    @of_bytes(f"saved_tensor_that_is_{_name}")
    def _(weights, marker, value=_value):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return saved({**weights, "linear.bias": value(weights["linear.bias"])})


@of_bytes("saved_list")
def _(weights, marker):
    return saved(list(weights.values()))


# ---- no files of weights at all ----------------------------------------------------------
@of_bytes("empty")
def _(weights, marker):
    return b""


@of_bytes("text")
def _(weights, marker):
    return b"import os; os.system('touch x')\n"


@maker("folder")
def _(folder, weights, marker):
    (folder / "folder.pt").mkdir()
    return folder / "folder.pt"


@maker("pipe")
def _(folder, weights, marker):
    os.mkfifo(folder / "pipe.pt")
    return folder / "pipe.pt"


@maker("endless_device")
def _(folder, weights, marker):
    (folder / "zero.pt").symlink_to("/dev/zero")
    return folder / "zero.pt"


@maker("not_there")
def _(folder, weights, marker):
    return folder / "not_there.pt"


for _suffix in (".pt", ".safetensors"):

    @maker(f"terabyte_of_nothing{_suffix}")
    def _(folder, weights, marker, suffix=_suffix):
        path = folder / f"terabyte{suffix}"
        with path.open("wb") as file:
            file.write(saved(weights)[:8])
            file.truncate(2**40)
        return path
