"""Memory that a step frees and takes again, kept by its process in between.

The C library gives a large block back to the system as soon as it is freed, and the next one comes as pages of zeros,
one page fault each. Transformations of a network copy its weights all the time: streamlining a network with 6 MB of
weights took 390,000 page faults, a quarter of its processor time. A step's process ends soon, and its memory with it.
"""

from __future__ import annotations

from bskernel_executors.sdk.libc import mallopt

# <malloc.h> of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_BLOCK = 32 << 20  # bytes; the library takes no more
_KEPT = 256 << 20  # bytes of free memory at the end of the heap


def keep_freed_memory() -> None:
    """Keep what this process frees. Nothing happens with a C library that cannot."""
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
