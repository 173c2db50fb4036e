"""Every benchmark that `make bench` names starts, and says how it is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = re.search(r"^BENCHMARKS := (.*)$", (ROOT / "Makefile").read_text(), re.M).group(1).split()


def test_make_bench_leaves_none_out():
    helpers = {"conditions", "reference"}
    assert {p.stem for p in (ROOT / "benchmarks").glob("[a-z]*.py")} == {*NAMES} | helpers


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_starts(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (shown.returncode, "usage:" in shown.stdout) == (0, True), shown.stderr
