"""Weights and states as safetensors: nothing in them can run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from abd.errors import AbdError, DamagedError
from abd.state import State
from abd.storage.files import replacing

OS_ERROR = re.compile(r"os error (\d+)")  # an error of the system, in the library's words
VALUES = "abd"  # the one metadata key: several would be written in random order


def write_tensors(path: Path, tensors: dict[str, Tensor], values: object = None) -> None:
    """Write tensors by name, and JSON-able `values`; the same give the same bytes."""
    contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    metadata = {VALUES: json.dumps(values, sort_keys=True)}
    with replacing(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata=metadata)
        except SafetensorError as error:
            # A full disk is an error of the library's own, which tells the number in words.
            if number := OS_ERROR.search(str(error)):
                code = int(number[1])
                raise OSError(code, os.strerror(code), str(path)) from None
            raise


def read_tensors(path: Path) -> tuple[dict[str, Tensor], object]:
    """Read what `write_tensors` wrote.

    Raises DamagedError where it is no such file, AbdError where it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(metadata.get(VALUES, "null"))
    except MemoryError:
        raise
    except Exception as error:  # the library raises several kinds for a bad file
        unread = isinstance(error, OSError) or OS_ERROR.search(str(error))
        kind = AbdError if unread else DamagedError
        raise kind(f"{path}: expected a safetensors file, got {error}") from None


def write_state(path: Path, state: State) -> None:
    """Write a run's state."""
    write_tensors(path, state.tensors, state.values)


def read_state(path: Path) -> State:
    """Read a run's state."""
    tensors, values = read_tensors(path)
    if not isinstance(values, dict):
        raise DamagedError(f"{path}: expected a run's state, got tensors without values")
    return State(tensors, values)


def write_net(path: Path, net: nn.Module) -> None:
    """Write a network's parameters and buffers."""
    write_tensors(path, net.state_dict())


def read_net(path: Path, net: nn.Module) -> nn.Module:
    """Load weights into `net`; AbdError naming what is missing, extra or misshapen."""
    return fit(path, read_tensors(path)[0], net)


def check_fit(
    path: Path, given: Mapping[str, tuple[tuple[int, ...], bool]], net: nn.Module
) -> None:
    """Raise AbdError where tensors of these shapes do not fit `net`.

    given: by name the shape, and whether the numbers are floating-point ones.
    """
    own = {n: (tuple(t.shape), t.is_floating_point()) for n, t in net.state_dict().items()}
    wrong = [f"{name} missing" for name in own.keys() - given.keys()]
    wrong += [f"{name} extra" for name in given.keys() - own.keys()]
    for name in own.keys() & given.keys():
        (shape, floating), (own_shape, own_floating) = given[name], own[name]
        if shape != own_shape:
            wrong.append(f"{name} {shape} instead of {own_shape}")
        elif floating != own_floating:
            kinds = ("whole", "floating-point")
            wrong.append(f"{name} {kinds[floating]} instead of {kinds[own_floating]}")
    if wrong:
        shown = ", ".join(sorted(wrong)[:5]) + (", ..." if len(wrong) > 5 else "")
        raise AbdError(f"{path}: expected weights that fit the network, got {shown}")


def fit(path: Path, tensors: dict[str, Tensor], net: nn.Module) -> nn.Module:
    """Load `tensors`, which `path` held, into `net`.

    Raises AbdError naming what is missing, extra, misshapen, of another kind of number, or
    not finite.
    """
    kinds = {n: (tuple(t.shape), t.is_floating_point()) for n, t in tensors.items()}
    check_fit(path, kinds, net)
    bad = sorted(n for n, t in tensors.items() if not bool(torch.isfinite(t.float()).all()))
    if bad:
        raise AbdError(f"{path}: expected finite weights, got NaN or inf in {bad[0]}")
    net.load_state_dict(tensors)
    return net
