"""How much memory this machine, or the container that we are in, has."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def total_bytes(cgroup: Path = _CGROUP) -> int:
    """Of the machine, or of the container (``cgroup``: the file with its limit) if it gets less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = cgroup.read_text().strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdecimal() else machine
