"""The C++ compiler that torch calls, where `numerics.compile` is set."""

from __future__ import annotations

import os
import shutil
import sys

from abd.errors import AbdError, printable


def compiler() -> str:
    """Its name or its path."""
    return os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")


def check_compiler() -> None:
    """AbdError where this machine has none."""
    if shutil.which(compiler()) is None:
        raise no_compiling(f"no command {printable(compiler())} (CXX names another)")


def no_compiling(got: str) -> AbdError:
    """What is said where a loss cannot be compiled; `got`: why."""
    return AbdError(
        "params.yaml: numerics.compile: expected a loss that torch can compile, a C++ "
        f"compiler and Python's headers on this machine, got {got}; mend that, or do "
        "without (false; of abd purify: no --compile)"
    )
