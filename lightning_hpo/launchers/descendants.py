"""The processes that a slot's jobs start: they end with the slot, and none answers in its place.

A slot leads a process group of its own, which is killed as a whole when the slot ends, in whatever
way: by the controller, or by the slot itself when its controller is gone. Where both are killed at
once, Linux ends what the slot has forked.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

# Of Linux's prctl.h.
_PR_SET_PDEATHSIG = 1


def lead_group(connections: Sequence[Connection]) -> None:
    """Make this process, a slot, the leader of all that its jobs start.

    ``connections``: to its controller, which would not hear of the slot's death as long as anybody
    else held their ends.
    """
    os.setpgid(0, 0)
    for connection in connections:
        os.set_inheritable(connection.fileno(), False)
    heritage = _Heritage(connections)
    os.register_at_fork(before=heritage.note_parent, after_in_child=heritage.settle)


def end_group(leader: int) -> None:
    """Kill what is left of the group of the slot with this process id, and the slot if it lives."""
    # None is left, or on macOS only what nobody has waited for.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


@contextmanager
def left_by_its_parent_alone() -> Iterator[None]:
    """End a process that was forked within, where it would leave: what follows is its parent's."""
    pid, status = os.getpid(), 1
    try:
        yield
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        if os.getpid() != pid:
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            os._exit(status)


class _Heritage:
    """What a forked child of a slot keeps and what it lets go."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections
        self._slot = os.getpid()
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        self._ends_with_parent = False

    def note_parent(self) -> None:
        # The kernel takes the end of the thread that forked for the parent's. The main thread's is;
        # and what a child of a job forks, for example to detach itself, is its own affair.
        in_main = threading.current_thread() is threading.main_thread()
        self._ends_with_parent = in_main and os.getpid() == self._slot

    def settle(self) -> None:
        for connection in self._connections:
            connection.close()
        if self._libc is not None and self._ends_with_parent:
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._slot:
                os._exit(1)
