"""Numbers closer to zero than 1.2e-38 count as zero while a job runs.

A processor computes with such denormal numbers many times slower, and weight decay leads there: the
weights of a filter that no longer answers shrink by a constant factor in every step. A step of the
default CNN with half of its weights there takes 31 times as long (24 to 41; one thread of an Intel
Xeon, torch 2.14; `python -m benchmarks.denormals`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Flush denormal numbers of this process to zero; afterwards as before.

    Without effect on processors that cannot, and on GPUs, which have no such problem.
    """
    before = are_zero()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def are_zero() -> bool:
    """Whether this process flushes denormal numbers to zero; torch can set it but not tell."""
    return bool(torch.tensor(2e-39) * 0.5 == 0)
