"""What a process of ours does with the memory that it frees: keep it, until its job has ended.

By default glibc hands a large block back to the system as soon as it is freed, and asks for it anew
in the next training step, where the system fills every page with zeros first. Activations of a CNN
are such blocks: a training step of the default network took 29 ms with that and takes 20 without
(batch 64, one thread of an Intel Xeon, torch 2.14; ``python -m benchmarks.allocator``).
"""

import ctypes
import os
from functools import cache
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# The first that glibc takes; an older one refuses more than 32 MiB.
_LIMITS_BYTES = (1 << 30, 1 << 25)
# Whoever sets one of these has decided already.
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Let this process use freed blocks again, of up to a GiB; False where glibc will not."""
    libc = _glibc()
    if libc is None or any(name in os.environ for name in _VARIABLES):
        return False
    # The other option alone would freeze the first one's limit where it is, at 128 KiB.
    if not any(libc.mallopt(_M_MMAP_THRESHOLD, limit) for limit in _LIMITS_BYTES):
        return False
    return bool(libc.mallopt(_M_TRIM_THRESHOLD, _LIMITS_BYTES[0]))


def return_freed_memory() -> None:
    """Give back to the system what is kept by now."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
