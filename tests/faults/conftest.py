"""Runs the faulty application, and leaves no process behind, also when a test fails."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from program import TIMEOUT_S, Program


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    try:
        yield program
    finally:
        program.end()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait for another process until a condition holds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.02)

    return wait


# Those that say for themselves which of their tests take minutes.
_MARKED_BY_THEMSELVES = ("test_damage.py", "test_any_input.py", "test_strangers.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Minutes of kills and restarts: ``make test-all`` runs them, ``make test`` does not."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.name not in _MARKED_BY_THEMSELVES:
            item.add_marker(pytest.mark.slow)
