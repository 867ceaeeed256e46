"""What networks' names look like, so that a wrong one is found without building it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from abd.errors import AbdError


@dataclass(frozen=True)
class Form:
    """How a family's names are written: for people, and as a regular expression."""

    text: str
    pattern: str


# Numbers, truth values, and words of what paths are made of.
_ARGUMENT = r"[A-Za-z_]\w*=(-?[0-9][0-9.e+-]*|True|False|'[A-Za-z0-9_.+-]*')"
ARGUMENTS = rf"\({_ARGUMENT}(;{_ARGUMENT})*\)|\(\)"
MOST_CLASSES = 10**6
# A WRN's depth is 6 n + 4 with n >= 1: its last digit alone does not tell.
FORMS = {
    "wrn": Form("wrn-<depth>-<width>", r"wrn-[1-9][0-9]{0,2}-[1-9][0-9]{0,2}"),
    "resnet": Form("resnet-<18 or 34>[-imagenet]", r"resnet-(18|34)(-imagenet)?"),
}


def check_classes(n: int) -> None:
    """AbdError where no network can be built for `n` classes on any machine."""
    if not 2 <= n <= MOST_CLASSES:
        raise AbdError(f"--classes: expected 2 to {MOST_CLASSES}, got {n}")


def is_import_path(name: str) -> bool:
    """Whether `name` is an import path, "package.module:Class"."""
    return ":" in name


def split_arguments(name: str) -> tuple[str, dict[str, Any]]:
    """Return an import path, "a.b:Net(depth=20;wide=True)", without arguments, and these.

    Raises AbdError where they are no such thing. The name is a part of paths, and a comma
    parts wildcards where Snakemake hands them to a cluster.
    """
    path, opened, text = name.partition("(")
    if not opened:
        return name, {}
    try:
        if not re.fullmatch(ARGUMENTS, f"({text}"):
            raise ValueError("no such arguments")
        call = ast.parse(f"f({text.replace(';', ',')}", mode="eval").body
        assert isinstance(call, ast.Call)
        given = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError):
        raise AbdError(
            f"network: expected package.module:Class(name=value;...), with numbers, plain "
            f"words in quotes and truth values, got {name!r}"
        ) from None
    return path, given


def split_name(name: str, families: Sequence[str]) -> tuple[str, list[str]]:
    """Return a network's family, one of `families`, and its options.

    Raises AbdError where there is no such network.
    """
    family, *options = name.split("-")
    form = FORMS.get(family, Form("", r"[^-]+(-[^-/]+)*"))
    if family not in families or not re.fullmatch(form.pattern, name):
        known = [FORMS[f].text if f in FORMS else f"{f}-<options>" for f in families]
        raise AbdError(
            f"network: expected {', '.join(known)} or package.module:Class, got {name!r}"
        )
    if family == "wrn" and (int(options[0]) < 10 or (int(options[0]) - 4) % 6):
        raise AbdError(f"network: expected a depth of 6 n + 4 with n >= 1, got {name!r}")
    return family, options
