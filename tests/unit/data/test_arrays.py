"""What tells a data set from others: the bytes of all four arrays, or what is known already."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.data.arrays import Arrays, release

X, Y = np.arange(6, dtype=np.uint8).reshape(3, 2), np.array([0, 1, 1], dtype=np.uint8)


def test_the_digest_is_of_the_bytes_in_the_order_of_the_fields() -> None:
    content = X.tobytes() + Y.tobytes() + X[:1].tobytes() + Y[:1].tobytes()
    assert Arrays(X, Y, X[:1], Y[:1]).sha256 == hashlib.sha256(content).hexdigest()


def test_a_known_digest_is_not_computed() -> None:
    assert Arrays(X, Y, X, Y, digest="abc").sha256 == "abc"


def resident_kb(path: Path) -> int:
    """How much of the file counts as memory of this process."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in lines[start:] if line.startswith("Rss:"))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_was_read_of_a_memory_map_is_released_and_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((4096, 1024), np.uint8))
    mapped = np.load(path, mmap_mode="c")
    assert int(mapped.sum()) == 2**22 and resident_kb(path) > 3000
    release(mapped[:10])
    assert resident_kb(path) < 300
    assert int(mapped.sum()) == 2**22
    release(np.ones(3))
