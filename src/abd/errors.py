"""The errors abd shows its users: one line each, no traceback."""


class AbdError(Exception):
    """Something the user can mend: what, where, expected, got, how to mend."""


class Interrupted(Exception):
    """A signal asked the job to stop; its working checkpoint is saved."""
