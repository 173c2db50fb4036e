"""SIGINT and SIGTERM: the first closes the study in good order, the second stops at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from lightning_hpo.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class _Gate:
    """``steps``: how many steps that may not be cut in two are under way, one within the other."""

    steps: int = 0
    waiting: Interrupted | None = None


_gate = _Gate()


def quit_at_once() -> None:
    """Let SIGINT end this process without a word: there is nothing to close yet, or any more."""
    # A shell lets its background jobs ignore it.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _quit)


def raise_interrupts() -> None:
    """The end of :func:`quit_at_once`, if it was called: SIGINT raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is _quit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _quit(signum: int, frame: FrameType | None) -> None:
    os._exit(128 + signum)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal into :class:`Interrupted`; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set handlers; elsewhere the caller's rules stay in force.
        yield
        return

    def on_signal(signum: int, frame: FrameType | None) -> None:
        # The second one is the kernel's: it also ends a process that waits for a locked database.
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        interrupt = Interrupted(signum)
        if _gate.steps:
            _gate.waiting = interrupt
        else:
            raise interrupt

    before = {signum: signal.signal(signum, on_signal) for signum in _SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def whole() -> Iterator[None]:
    """A step that is done or not done: an interrupt is raised at its end, not in its middle."""
    _gate.steps += 1
    try:
        yield
    finally:
        _gate.steps -= 1
        waiting = _gate.waiting
        if waiting is not None and not _gate.steps:
            _gate.waiting = None
            raise waiting
