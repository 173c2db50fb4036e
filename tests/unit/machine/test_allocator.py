"""A process of ours keeps what it frees, and gives it back after a job."""

import os
import platform
import subprocess
import sys

import pytest

from lightning_hpo.machine import allocator

# Pages that the system had to provide, while 4 blocks of 2,560 pages (10 MB) each are written to
# and freed again, 20 times; then how many pages the process gave back of what it had kept. One
# block alone glibc would keep by itself.
PROGRAM = """
import resource, sys
from lightning_hpo.machine.allocator import keep_freed_memory, return_freed_memory

def held_pages():
    return int(open("/proc/self/statm").read().split()[1])

def use():
    [bytearray(b"1") * (10 << 20) for _ in range(4)]

kept = keep_freed_memory() if sys.argv[1] == "ours" else None
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
held = held_pages()
return_freed_memory()
print(kept, faults, held - held_pages())
"""

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="needs Linux with glibc"
)


def pages(way: str, **env: str) -> tuple[str, int, int]:
    command = [sys.executable, "-c", PROGRAM, way]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, check=True)
    kept, faults, returned = done.stdout.decode().split()
    return kept, int(faults), int(returned)


def test_a_freed_block_serves_the_next_one():
    _, faults, _ = pages("as it is")
    assert faults > 20 * 4 * 2500
    kept, faults, _ = pages("ours")
    assert kept == "True"
    assert faults < 4 * 2500


# Rule: an older glibc refuses more than 32 MiB; where none is taken, the other option stays as it
# is, since alone it would make things worse.
@pytest.mark.parametrize(
    ("largest", "kept", "taken"),
    [
        (1 << 40, True, [(-3, 1 << 30), (-1, 1 << 30)]),
        (1 << 25, True, [(-3, 1 << 25), (-1, 1 << 30)]),
        (0, False, []),
    ],
)
def test_an_older_glibc_keeps_what_it_can(monkeypatch, largest, kept, taken):
    given = []

    class Libc:
        @staticmethod
        def mallopt(option, value):
            is_taken = option == -1 or value <= largest
            given.extend([(option, value)] * is_taken)
            return int(is_taken)

    monkeypatch.setattr(allocator, "_glibc", Libc)
    for name in allocator._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert allocator.keep_freed_memory() is kept
    assert given == taken


def test_what_is_kept_can_be_given_back():
    _, _, returned = pages("ours")
    assert returned > 4 * 2500


def test_the_users_own_setting_stands():
    kept, faults, _ = pages("ours", MALLOC_MMAP_THRESHOLD_="131072")
    assert kept == "False"
    assert faults > 20 * 4 * 2500
