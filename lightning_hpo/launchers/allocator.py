"""What a process of ours does with the memory that it frees: keep it, until its job has ended.

By default glibc hands a large block back to the system as soon as it is freed, and asks for it anew
in the next training step, where the system fills every page with zeros first. Activations of a CNN
are such blocks: a training step of the default network took 29 ms with that and takes 20 without
(batch 64, one thread of an Intel Xeon, torch 2.14; `python -m benchmarks.allocator`).
"""

import ctypes
import os
from functools import cache
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 1 << 30
# Whoever sets one of these has decided already.
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Let this process use freed blocks of up to a GiB again; False where there is no glibc."""
    libc = _glibc()
    if libc is None or any(name in os.environ for name in _VARIABLES):
        return False
    kept = [libc.mallopt(name, _LARGE_BYTES) for name in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD)]
    return all(kept)


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
