"""The errors abd shows its users: one line each, no traceback."""


class AbdError(Exception):
    """Something the user can mend: what, where, expected, got, how to mend."""


class DamagedError(AbdError):
    """A file was read, and is not what was written there."""


class Interrupted(Exception):
    """A signal asked the job to stop; its working checkpoint is saved."""


def printable(name: object) -> str:
    """Text of a name or a path in one line: what cannot be printed is escaped.

    That is line breaks and other controls, those that reverse the order of letters among
    them, characters that are none, and what stands for bytes that are no UTF-8.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(name)
    )
