"""The quick main study: its wall time and the peak memory of all its processes together.

    python -m benchmarks.quick_study

Memory is sampled twice a second: the proportional set size (PSS) counts shared pages once, the
resident set size (RSS) counts them in each process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

import psutil

INTERVAL_S = 0.5


def memory_bytes(root: psutil.Process) -> tuple[int, int]:
    """PSS and RSS of a process and all its descendants."""
    pss = rss = 0
    for process in (root, *root.children(recursive=True)):
        try:
            memory = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            # It ended between being listed and being asked.
            continue
        pss, rss = pss + memory.pss, rss + memory.rss
    return pss, rss


def measure(command: list[str], folder: str) -> tuple[float, int, int]:
    """Seconds, peak PSS and peak RSS of a command that must succeed."""
    started_s, peaks = time.monotonic(), (0, 0)
    process = subprocess.Popen(command, cwd=folder)
    root = psutil.Process(process.pid)
    while True:
        try:
            status = process.wait(INTERVAL_S)
            break
        except subprocess.TimeoutExpired:
            now = memory_bytes(root)
            peaks = max(peaks[0], now[0]), max(peaks[1], now[1])
    if status:
        raise SystemExit(f"the study must succeed, got exit status {status}")
    return time.monotonic() - started_s, *peaks


def main() -> None:
    """Run the study in an empty folder and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "overrides", nargs="*", default=["+experiment=cnn_dropout", "+budget=quick"]
    )
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lightning_hpo", *told.overrides]
        seconds, pss, rss = measure(command, folder)
    print(f"\n{' '.join(told.overrides)}: torch {version('torch')}, {os.cpu_count()} cores")
    print(f"wall time {seconds:.0f} s, peak memory {pss / 2**30:.2f} GiB (PSS), ", end="")
    print(f"{rss / 2**30:.2f} GiB (RSS, shared pages counted in each process)")


if __name__ == "__main__":
    main()
