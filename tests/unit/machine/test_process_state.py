"""What a job changed of its process outside Python is as it was before."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lightning_hpo.machine.process_state import ProcessState


@pytest.fixture
def before() -> Iterator[ProcessState]:
    """The state of this process, to which it returns whatever the test does."""
    state = ProcessState.now()
    yield state
    state.restore()


def test_handlers_masks_and_the_umask_are_restored(before: ProcessState) -> None:
    def deaf(number: int, frame: object) -> None:
        raise AssertionError(number)

    signal.signal(signal.SIGUSR1, deaf)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.umask(0o707)
    assert ProcessState.now() != before
    assert before.restore()
    assert ProcessState.now() == before
    assert signal.getsignal(signal.SIGUSR1) is before.handlers[signal.SIGUSR1]


def test_a_timer_that_still_runs_is_stopped(before: ProcessState) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 600.0, 600.0)
    assert before.restore()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_soft_limit_is_raised_again(before: ProcessState) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    assert before.restore()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before.limits[resource.RLIMIT_NOFILE]


# Rule: looking changes nothing.
def test_looking_leaves_the_umask_alone() -> None:
    umask = os.umask(0o027)
    try:
        assert ProcessState.now().umask == 0o027
        assert ProcessState.now().umask == 0o027
    finally:
        os.umask(umask)


# Rule: what the system does not give back makes the process unfit for another job.
@pytest.mark.parametrize(
    "given_up",
    [
        "os.nice(1)",
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    ],
)
def test_a_process_that_gave_something_up_for_good_says_so(given_up: str) -> None:
    program = f"""
import os, resource, sys
from lightning_hpo.machine.process_state import ProcessState
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
before = ProcessState.now()
if os.getuid() == 0:
    os.setuid(65534)
{given_up}
sys.exit(10 + before.restore())
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=60)
    no_core_at_all = resource.getrlimit(resource.RLIMIT_CORE)[1] == 0
    expected = 11 if "CORE" in given_up and no_core_at_all else 10
    assert ended.returncode == expected
