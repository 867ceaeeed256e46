"""Weights from a file that nobody vouches for: safetensors, or what `torch.save` wrote.

Nothing in the file is run. Safetensors cannot hold code. What `torch.save` wrote is read by
torch's weights-only reader, of an exported program the weights alone, both in a process
apart, and never in another way where that refuses them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from abd.errors import AbdError, printable
from abd.storage.checkpoints import check_fit, fit, read_tensors

# A file may hold an optimizer's state, too, and numbers of twice the size.
ROOM, LEAST = 8, 64 * 2**20
LONGEST = 800  # characters of a message: names in the file are as long as it likes
FLOATING, WHOLE = ("F16", "BF16", "F32", "F64"), ("I64",)  # as safetensors names them
SECONDS = 600
SAFETENSORS = ".safetensors"
WRITTEN_BY_TORCH = (b"PK\x03\x04", b"\x80\x02")  # since 1.6, and before: a bare pickle
OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}


def read_foreign_net(path: Path, net: nn.Module) -> nn.Module:
    """Load weights into `net`, whose shapes they must have.

    Numbers of other precision are converted. Raises AbdError, in one line, where the file
    is no such thing, larger than the network can want, damaged, or not finite.
    """
    limit = ROOM * sum(_bytes(t) for t in net.state_dict().values()) + LEAST
    try:
        start = _start(path, limit)
        if path.suffix == SAFETENSORS or start[8:] == b"{":
            tensors = _safetensors(path, net)
        elif start.startswith(WRITTEN_BY_TORCH):
            tensors = _converted(path, limit)
        else:
            known = (name for magic, name in OTHERS.items() if start.startswith(magic))
            got = next(known, "something else" if start else "an empty file")
            raise AbdError(
                f"{path}: expected safetensors, or what torch.save or torch.export.save "
                f"writes, got {got}"
            )
        return fit(path, tensors, net)
    except AbdError as error:
        said = printable(error)
        raise AbdError(said[:LONGEST] + "..." * (len(said) > LONGEST)) from None


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _safetensors(path: Path, net: nn.Module) -> dict[str, Tensor]:
    """The weights of a safetensors file, read only if the header says that they fit."""
    try:
        with safe_open(path, framework="pt") as file:
            given = {}
            for name in file.keys():  # noqa: SIM118
                tensor = file.get_slice(name)
                kind = tensor.get_dtype()
                if kind not in FLOATING + WHOLE:
                    raise AbdError(
                        f"{path}: expected numbers of {', '.join(FLOATING + WHOLE)}, got "
                        f"{name} of {kind}"
                    )
                given[name] = (tuple(tensor.get_shape()), kind in FLOATING)
            check_fit(path, given, net)
            return {name: file.get_tensor(name) for name in given}
    except (SafetensorError, OSError, ValueError, UnicodeError) as error:
        raise AbdError(f"{path}: expected a safetensors file, got {error}") from None


def _converted(path: Path, limit: int) -> dict[str, Tensor]:
    """The weights of a file that torch wrote, as a process apart reads them."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / f"weights{SAFETENSORS}"
        _convert(path, target, limit)
        return read_tensors(target)[0]


def _start(path: Path, limit: int) -> bytes:
    """The first bytes of a file; AbdError where it is none, or too large."""
    try:
        if not path.is_file():  # a pipe would wait, a device never end
            path.stat()
            raise AbdError(f"{path}: expected a file of weights, got something else")
        if (size := path.stat().st_size) > limit:
            raise AbdError(
                f"{path}: expected at most {limit} bytes for this network, got {size}"
            )
        with path.open("rb") as file:
            return file.read(9)
    except OSError as error:
        raise AbdError(
            f"{path}: expected a file of weights, got {error.strerror}"
        ) from None


def _convert(path: Path, target: Path, limit: int) -> None:
    """Have a process apart read the weights; AbdError with what it says against them."""
    command = [sys.executable, "-I", "-m", "abd.storage.unpickling"]
    try:
        done = subprocess.run(
            [*command, str(path.absolute()), str(target), str(limit)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise AbdError(f"{path}: expected weights, got {SECONDS} s of reading") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        refused = done.returncode == 1 and said and said[-1].startswith("expected ")
        what = f"expected weights, got a reader that ended with {done.returncode}"
        raise AbdError(f"{path}: {said[-1] if refused else what}")
