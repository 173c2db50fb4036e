"""The program that has started a study as its child: what it is told, and that it is still there.

It names a file in an environment variable, in which it will read what it is told, and it holds the
other end of the standard input: where that ends, the program is gone, and nobody wants the study.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from lightning_hpo.errors import UserError

VARIABLE = "LIGHTNING_HPO_CALLER"
# Set in every process of a study, which imports the files of the user's classes.
_WITHIN = "LIGHTNING_HPO_WITHIN"

# Set by our command line, which shows no traceback by it; see entry.py.
_OURS = ("HYDRA_FULL_ERROR",)
_files: list[Path] = []


def enter() -> None:
    """From here on this process, and what it starts, is a study's."""
    os.environ[_WITHIN] = "1"


def refuse_within() -> None:
    """Raise :class:`UserError` in a study's own process, whose study would start itself again."""
    if os.environ.get(_WITHIN):
        raise UserError(
            "a study's processes import the file with your classes, and must not start the study"
            " again while they do; write `if __name__ == '__main__':` above what runs or searches."
        )


def meet() -> None:
    """Find out whether such a program is there; what we start in turn has no caller but us."""
    file = os.environ.pop(VARIABLE, None)
    if file is not None:
        _files.append(Path(file))
        threading.Thread(target=_end_with_it, daemon=True).start()


def environment(file: Path) -> dict[str, str]:
    """For the caller: the environment of a study that imports what this program can.

    ``file``: in which it is told.
    """
    paths = os.pathsep.join(filter(None, sys.path))
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    return inherited | {VARIABLE: str(file), "PYTHONPATH": paths}


def is_present() -> bool:
    return bool(_files)


def tell(**news: str) -> None:
    """Let it know; a later value of a key replaces an earlier one. Without a caller nothing."""
    for file in _files:
        with file.open("a", encoding="utf-8") as told:
            told.write(f"{json.dumps(news)}\n")


def told_in(file: Path) -> dict[str, str]:
    """For the caller: what it was told in ``file``."""
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        found |= json.loads(line)
    return found


def _end_with_it() -> None:
    while os.read(0, 1):
        pass
    # As anybody's SIGTERM, it closes a study that runs in good order.
    os.kill(os.getpid(), signal.SIGTERM)
