"""A study as a child of this process: with its command line, and with our interrupts."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_hpo.errors import Interrupted
from lightning_hpo.machine import caller

# The exit status of a study that was interrupted.
INTERRUPTED = (128 + signal.SIGINT, -signal.SIGINT)


def run_study(words: Sequence[str], *, told: Path, log: Path) -> int:
    """Run ``python -m lightning_hpo`` with ``words`` to its end; the exit status.

    ``told``: where it tells us more, see :func:`lightning_hpo.machine.caller.told_in`; ``log``: to
    which all that it says is added. What interrupts us interrupts it, and its end is waited for;
    should we be killed, it closes by itself.
    """
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-u", "-m", "lightning_hpo", *words],
            env=caller.environment(told),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # The keyboard's interrupts reach a program's whole group: they are ours to pass on.
            process_group=0,
        ) as child,
    ):
        try:
            return child.wait()
        except Interrupted as interrupt:
            child.send_signal(interrupt.signum)
            child.wait()
            raise


def run_in_view(words: Sequence[str], file: Path) -> int:
    """The exit status of the command line with ``words``; ``file``: where it tells us more.

    An interrupt here is one of the study, whatever its process says.
    """
    # A live view needs the terminal itself; what replaces it, as in a notebook, is no file.
    out = sys.stdout
    to_terminal = sys.stdout is sys.__stdout__ and out.isatty()
    env = {caller.VARIABLE: str(file), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    env |= {} if to_terminal else {"PYTHONIOENCODING": "utf-8"}
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "lightning_hpo", *words],
        env=os.environ | env,
        # Held open as long as this program lives.
        stdin=subprocess.PIPE,
        stdout=None if to_terminal else subprocess.PIPE,
        stderr=None if to_terminal else subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # The keyboard's interrupts reach the whole group of a program: they are ours to pass on.
        process_group=0,
    )
    interrupted = False
    with child:
        while True:
            try:
                for line in child.stdout or ():
                    out.write(line)
                    out.flush()
                status = child.wait()
                return INTERRUPTED[0] if interrupted else status
            except KeyboardInterrupt:
                interrupted = True
                child.send_signal(signal.SIGINT)
