"""The weights of a program of `torch.export.save`; the program itself is never read.

torch's own reader evaluates text of the file. The weights lie beside the program as plain
bytes, and a table in JSON says what they are; nothing else is read.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FORMAT = "archive_format"
KIND = b"pt2"
OLDER = {"serialized_exported_program.json", "serialized_state_dict.pt"}
TABLE = "data/weights/model_weights_config.json"
FOLDER = "data/weights"
# As the schema of exported programs numbers them.
DTYPES = {
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    13: torch.bfloat16,
}


def is_exported(archive: zipfile.ZipFile) -> bool:
    """Whether an archive says that it is an exported program.

    Raises ValueError for one of an older torch, which keeps the weights in another way.
    """
    names = archive.namelist()
    if OLDER & {name.rpartition("/")[2] for name in names}:
        raise ValueError(
            "an exported program of an older torch; save the state_dict of the program"
        )
    name = f"{_root(archive)}/{FORMAT}"
    return name in names and archive.read(name) == KIND


def read_exported(path: Path) -> dict[str, Tensor]:
    """Read the parameters and the persistent buffers of the program in a file, by name.

    Raises ValueError where the table or what it tells of is not there, or not as
    `torch.export.save` writes it.
    """
    with zipfile.ZipFile(path) as archive:
        root = _root(archive)
        table = json.loads(_member(archive, f"{root}/{TABLE}"))
        given = table["config"] if isinstance(table, Mapping) else None
        if not isinstance(given, Mapping):
            raise ValueError(f"expected a table of weights in {TABLE}, got another thing")
        tensors = {}
        for name, entry in given.items():
            try:
                raw = _member(archive, f"{root}/{FOLDER}/{entry['path_name']}")
                tensors[name] = _tensor(raw, entry)
            except (LookupError, TypeError, ValueError) as error:
                raise ValueError(f"expected plain weights, got {name!r}: {error}") from None
        return tensors


def _root(archive: zipfile.ZipFile) -> str:
    """The folder that all members are in."""
    return archive.namelist()[0].partition("/")[0] if archive.namelist() else ""


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        raise ValueError(f"no member {name!r}")
    return archive.read(name)


def _tensor(raw: bytes, entry: Mapping[str, Any]) -> Tensor:
    """The tensor that `entry` describes, of the bytes of a whole storage."""
    if entry["use_pickle"] is not False:
        raise ValueError("it would have to be unpickled")
    meta = entry["tensor_meta"]
    dtype = DTYPES[meta["dtype"]]
    sizes, strides = (
        [_whole(number) for number in meta[key]] for key in ("sizes", "strides")
    )
    offset = _whole(meta["storage_offset"])
    if len(sizes) != len(strides):
        raise ValueError(f"sizes {sizes} with strides {strides}")
    if not prod(sizes):
        return torch.empty(sizes, dtype=dtype)
    last = offset + sum(
        (size - 1) * step for size, step in zip(sizes, strides, strict=True)
    )
    storage = torch.frombuffer(bytearray(raw), dtype=dtype)
    # What is read twice would make more of the file than it holds.
    if last >= len(storage) or prod(sizes) > len(storage):
        raise ValueError(f"sizes {sizes} beyond its {len(storage)} numbers")
    return storage.as_strided(sizes, strides, offset)


def _whole(number: Mapping[str, Any]) -> int:
    value = number["as_int"]
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError(f"a length of {value!r}")
    return value
