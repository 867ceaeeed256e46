"""Turns an untrusted file that torch wrote into safetensors, in a process apart.

`python -m abd.storage.unpickling SOURCE TARGET LIMIT`: torch's weights-only reader refuses
code, but builds what it is told to build, and its parsers are written in C++. So it runs
where neither memory nor a crash costs anything: under limits, LIMIT bytes of tensors and
little more. Ends with 0, or with 1 and a line that says what was expected.
"""

from __future__ import annotations

import resource
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from abd.storage.exported import is_exported, read_exported

ARCHIVE = b"PK\x03\x04"
SLACK = 256 * 2**20  # bytes that reading takes beside the tensors
CPU_SECONDS = 300
# Where training programs put the weights among other things.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)


class Refused(Exception):
    """The file is not what it should be; the text says what was expected, and what came."""


def main(source: Path, target: Path, limit: int) -> int:
    """Write the weights that `source` holds to `target`; return the exit status."""
    _limit_resources(limit)
    try:
        with source.open("rb") as file:
            archived = file.read(len(ARCHIVE)) == ARCHIVE  # as torch tells it
        exported = archived and _check_archive(source, limit)
        # Whatever else a reader of hostile bytes may raise is one more way to refuse them.
        try:
            if exported:
                loaded: Any = read_exported(source)
            else:
                loaded = torch.load(source, map_location="cpu", weights_only=True)
        except Exception as error:
            writer = "torch.export.save" if exported else "torch.save"
            raise Refused(
                f"weights alone, as {writer} writes them, got {_line(error)}"
            ) from None
        tensors = _checked(_state_dict(loaded), limit)
        plain = {name: t.contiguous().clone() for name, t in tensors.items()}
        try:
            save_file(plain, target)
        except SafetensorError as error:
            raise Refused(
                f"room for a copy of it in {target.parent}, got {_line(error)}"
            ) from None
    except Refused as error:
        print(f"expected {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print("expected weights that fit into memory, got more", file=sys.stderr)
        return 1
    return 0


def _limit_resources(limit: int) -> None:
    used = psutil.Process().memory_info().vms
    for kind, most in (
        (resource.RLIMIT_AS, used + 4 * limit + SLACK),
        (resource.RLIMIT_FSIZE, 2 * limit),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        own = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (own, own))


def _check_archive(source: Path, limit: int) -> bool:
    """Refuse an archive that torch would not write; say if it is an exported program."""
    try:
        with zipfile.ZipFile(source) as archive:
            _check_members(archive.infolist(), limit)
            broken = archive.testzip()
            exported = broken is None and is_exported(archive)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"a whole archive, got {_line(error)}") from None
    if broken is not None:
        raise Refused(f"a whole archive, got a wrong checksum of {broken!r}")
    return exported


def _check_members(members: list[zipfile.ZipInfo], limit: int) -> None:
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise Refused("members of different names, got one twice")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            raise Refused(f"members by plain names, got {member.filename!r}")
        if member.compress_type != zipfile.ZIP_STORED:
            raise Refused(f"members that are stored, got {member.filename!r} compressed")
    if sum(member.file_size for member in members) > limit:
        raise Refused(f"at most {limit} bytes, got more in the archive")


def _state_dict(loaded: Any) -> Mapping[str, Tensor]:
    """The weights among what a file holds, without the prefix of DataParallel."""
    found = loaded
    if isinstance(loaded, Mapping):
        wrapped = [loaded[name] for name in WRAPPERS if name in loaded]
        found = next((own for own in wrapped if isinstance(own, Mapping)), loaded)
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor)
        for name, tensor in found.items()
    ):
        raise Refused("a state dict, tensors by name, got something else")
    if found and all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return found


def _checked(tensors: Mapping[str, Tensor], limit: int) -> Mapping[str, Tensor]:
    """The tensors, if they are plain ones, and not larger than they may be."""
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not plain or tensor.dtype not in DTYPES:
            kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device.type}"
            raise Refused(f"plain floating-point tensors, got {name!r} of {kind}")
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > limit:
        raise Refused(f"at most {limit} bytes of weights, got {size}")
    return tensors


def _line(error: Exception) -> str:
    """The first line of an error that is not advice to load the file in another way."""
    text = str(error).strip().partition("\n")[0][:200]
    if "weights_only" in text or "Weights only" in text:
        return "something that would need code to be run"
    return text or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
