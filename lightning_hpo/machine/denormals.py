"""Numbers closer to zero than 1.2e-38 count as zero while a job runs.

A processor computes with such denormal numbers many times slower, and weight decay leads there: the
weights of a filter that no longer answers shrink by a constant factor in every step. A step of the
default CNN with half of its weights there takes 31 times as long (24 to 41; one thread of an Intel
Xeon, torch 2.14; ``python -m benchmarks.denormals``).
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Of OpenMP 5.0: threads may end, and the settings of the program stay.
_OMP_PAUSE_SOFT = 1


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Flush denormal numbers to zero on all threads of this one's operations; then as before.

    Without effect on processors that cannot, and on GPUs, which have no such problem.
    """
    before = are_zero()
    _flush(True)
    try:
        yield
    finally:
        _flush(before)


def _flush(flushing: bool) -> None:
    """Set the mode of this thread and of those that share its operations.

    torch sets it for the calling thread alone. A helper takes it over from the thread that starts
    it and keeps it; so those there are end here, and the next operation starts new ones.
    """
    torch.set_flush_denormal(flushing)
    pause = getattr(_process(), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_OMP_PAUSE_SOFT)


def _process() -> ctypes.CDLL | None:
    """What this process has loaded; None where a program cannot ask for it."""
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


def are_zero() -> bool:
    """Whether this process flushes denormal numbers to zero; torch can set it but not tell."""
    return bool(torch.tensor(2e-39) * 0.5 == 0)
