"""What a job may change of its process outside Python: signals, timers, limits, umask, priority."""

import multiprocessing as mp
import os
import resource
import signal
from dataclasses import dataclass
from typing import Any

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
# torch sets a handler for the ends of loader processes once and for all, and relies on it.
_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}


@dataclass(frozen=True)
class ProcessState:
    """Taken in the main thread, which alone may set handlers."""

    handlers: dict[int, Any]
    blocked: set[int]
    limits: dict[int, tuple[int, int]]
    umask: int
    niceness: int
    start_method: str | None

    @classmethod
    def now(cls) -> "ProcessState":
        return cls(
            handlers={number: signal.getsignal(number) for number in _SIGNALS},
            blocked=set(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            limits={limit: resource.getrlimit(limit) for limit in _LIMITS},
            umask=_umask(),
            niceness=os.getpriority(os.PRIO_PROCESS, 0),
            start_method=mp.get_start_method(allow_none=True),
        )

    def restore(self) -> bool:
        """Make it so again; False where the system does not let us, and the process is spent."""
        for timer in _TIMERS:
            signal.setitimer(timer, 0)
        for number, handler in self.handlers.items():
            # None: set by a library in C, which Python can neither tell nor set again.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)
        os.umask(self.umask)
        mp.set_start_method(self.start_method, force=True)
        return self._raised_again() and os.getpriority(os.PRIO_PROCESS, 0) == self.niceness

    def _raised_again(self) -> bool:
        try:
            for limit, values in self.limits.items():
                if resource.getrlimit(limit) != values:
                    resource.setrlimit(limit, values)
        except (ValueError, OSError):
            # What has given up a hard limit does not get it back.
            return False
        return True


def _umask() -> int:
    # There is no way to ask for it alone.
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
