"""A study as a child of this process: with its command line, and with our interrupts."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_hpo.errors import Interrupted
from lightning_hpo.machine import caller


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
