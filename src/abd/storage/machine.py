"""What a job ran on: processors of different kinds round, and so train, differently."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from abd.compiler import compiler

CPUINFO = Path("/proc/cpuinfo")
# What PyTorch chooses its kernels by, the strongest first: a flag, and its name.
UNITS = {"amx_bf16": "AMX", "avx512f": "AVX-512", "avx2": "AVX2"}


def processor() -> str:
    """Name the kind of processor, and the vector unit that decides how it rounds."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    facts = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in reversed(lines))
    }
    name = facts.get("model name") or platform.processor() or platform.machine()
    flags = facts.get("flags", "").split()
    unit = next((said for flag, said in UNITS.items() if flag in flags), None)
    return name if unit is None else f"{name}, {unit}"


def compiler_version() -> str:
    """What the C++ compiler says of itself, in a line."""
    said = subprocess.run(
        [compiler(), "--version"], capture_output=True, text=True, check=True
    )
    return said.stdout.partition("\n")[0]


def device_name(device: str) -> str:
    """Name the GPU that `device` is, or the processor where it is none."""
    if device == "cpu":
        return processor()
    import torch

    return torch.cuda.get_device_name(device)
