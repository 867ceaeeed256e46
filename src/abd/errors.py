"""The errors abd shows its users: one line each, no traceback."""

import unicodedata

# Controls, halves of pairs, no characters, separators of lines and of paragraphs.
_CATEGORIES = ("Cc", "Cs", "Cn", "Zl", "Zp")
_MARKS = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_TURNING = frozenset(map(chr, _MARKS))


class AbdError(Exception):
    """Something the user can mend: what, where, expected, got, how to mend."""


class DamagedError(AbdError):
    """A file was read, and is not what was written there."""


class Interrupted(Exception):
    """A signal asked the job to stop; what it had saved is kept."""


def printable(name: object) -> str:
    """Text of a name or a path in one line: what cannot be printed is escaped.

    That is line breaks and other controls, what turns the order of letters around,
    characters that are none, and what stands for bytes that are no UTF-8. Joiners, which
    some scripts need, stay.
    """
    return "".join(
        letter.encode("unicode_escape").decode("ascii") if _unprintable(letter) else letter
        for letter in str(name)
    )


def _unprintable(letter: str) -> bool:
    return letter in _TURNING or unicodedata.category(letter) in _CATEGORIES
