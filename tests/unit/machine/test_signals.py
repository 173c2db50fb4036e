"""The first signal is an exception, never in the middle of a step; the second is the kernel's."""

import os
import signal

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import Interrupted
from lightning_hpo.machine.signals import interruptible, quit_at_once, whole


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_raised_and_the_handlers_are_restored(signum):
    before = signal.getsignal(signum)
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), signum)
    assert caught.value.signum == signum
    assert signal.getsignal(signum) is before


def test_after_the_first_signal_the_second_is_the_kernels():
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_no_library_takes_an_interrupt_for_an_error_of_its_own():
    """OmegaConf answers an Exception within a resolver with an error of its own."""
    OmegaConf.register_resolver("signal", lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(Interrupted), interruptible():
            OmegaConf.create({"key": "${signal:}"}).key  # noqa: B018
    finally:
        OmegaConf.clear_resolver("signal")


@pytest.mark.parametrize(
    ("handler", "exit_status"), [(signal.default_int_handler, 130), (signal.SIG_IGN, 0)]
)
def test_before_there_is_anything_to_close_an_interrupt_ends_the_process_without_a_word(
    handler, exit_status
):
    """Unless it was ignored from the start, as by a background job of a shell."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, handler)
        quit_at_once()
        os.kill(os.getpid(), signal.SIGINT)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == exit_status


def test_a_step_is_finished_before_the_interrupt_is_raised():
    done = []
    with pytest.raises(Interrupted), interruptible():
        with whole():
            with whole():
                os.kill(os.getpid(), signal.SIGINT)
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]
