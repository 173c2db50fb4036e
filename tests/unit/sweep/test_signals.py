"""The first signal is an exception, never in the middle of a step; the second is the kernel's."""

import os
import signal

import pytest

from lightning_hpo.errors import Interrupted
from lightning_hpo.sweep.signals import interruptible, whole


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
