"""How a value or a key is shown in a message: whole where it is short."""

from __future__ import annotations

import reprlib

LONGEST = 200  # characters of one value or key


class _Short(reprlib.Repr):
    """Python's repr, cut: a line must stay readable whatever was written in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist = 3, 20, 20
        self.maxstring = self.maxother = LONGEST

    def repr_int(self, x: int, level: int) -> str:
        """A number, or how long it is: Python writes none of thousands of digits."""
        return repr(x) if x.bit_length() <= 128 else f"a number of {x.bit_length()} bits"


_SHORT = _Short()


def shown(value: object) -> str:
    """Return `value` as Python writes it, cut where it is long."""
    return cut(_SHORT.repr(value))


def cut(text: str) -> str:
    """Return `text` without its middle where it is long."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"
