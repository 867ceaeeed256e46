"""How this process keeps its memory: what a training step frees, the next one takes."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
ALL = 2**31 - 1
MOST = 32 * 2**20  # what older glibc takes at most: half of an arena


def keep_freed_memory() -> None:
    """Let malloc keep large blocks, where the C library can be told to.

    By default glibc gives every block of some megabytes back to the system, which then
    clears new pages for the next tensor: a tenth of a training step on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # The second alone would be worse than neither: the first no longer adapts itself then.
    if mallopt is not None and any(mallopt(M_MMAP_THRESHOLD, n) for n in (ALL, MOST)):
        mallopt(M_TRIM_THRESHOLD, ALL)
