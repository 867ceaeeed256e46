"""Damages a file, as a bad disk does."""


def flip(path, at):
    """Flip a bit of the byte at `at`."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
