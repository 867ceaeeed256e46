"""The errors abd shows its users: one line each, no traceback."""

import re

# Line breaks, other control characters, and what stands for bytes that are no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class AbdError(Exception):
    """Something the user can mend: what, where, expected, got, how to mend."""


class Interrupted(Exception):
    """A signal asked the job to stop; its working checkpoint is saved."""


def printable(name: object) -> str:
    """Text of a name or a path in one line: what cannot be printed is escaped."""
    return _UNPRINTABLE.sub(
        lambda match: match[0].encode("unicode_escape").decode("ascii"), str(name)
    )
