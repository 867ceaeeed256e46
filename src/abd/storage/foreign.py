"""Weights from a file that nobody vouches for: safetensors, or what `torch.save` wrote.

Nothing in the file is run. Safetensors cannot hold code; anything else is read by torch's
weights-only reader, in a process apart, and never in another way where that refuses it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor, nn

from abd.errors import AbdError, printable
from abd.storage.checkpoints import fit, read_tensors

# A file may hold an optimizer's state, too, and numbers of twice the size.
ROOM, LEAST = 8, 64 * 2**20
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
        return fit(path, _tensors(path, limit), net)
    except AbdError as error:
        raise AbdError(printable(error)) from None


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _tensors(path: Path, limit: int) -> dict[str, Tensor]:
    start = _start(path, limit)
    if path.suffix == SAFETENSORS:
        return read_tensors(path)[0]
    if not start.startswith(WRITTEN_BY_TORCH):
        known = (name for magic, name in OTHERS.items() if start.startswith(magic))
        got = next(known, "something else" if start else "an empty file")
        raise AbdError(f"{path}: expected safetensors or what torch.save writes, got {got}")
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
            return file.read(8)
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
