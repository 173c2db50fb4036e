"""Starts Python programs with the large libraries loaded, which else take most of a test's time.

A process of a study imports torch and what comes with it, for six seconds of a processor; a tiny
study has three processes. Here they are forked from one that has imported it all. What a program
is started with must not matter to those imports: a flag of the interpreter or a variable that a
library reads while it is loaded makes it a cold start, as does ``LIGHTNING_HPO_COLD_TESTS=1``.
Tests whose subject is a start, an import or the tree of the processes use :mod:`subprocess`.
"""

import atexit
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from warm_server import Remote, request

# Read when they matter, by the programs and not by a library as it is loaded.
_HARMLESS = {"PYTHONPATH", "PYTHONUNBUFFERED", "OMP_NUM_THREADS"}
_LIBRARIES_OWN = (
    "PYTHON", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "LD_", "MALLOC_", "GLIBC_", "CUDA_", "TORCH",
    "PYTORCH", "LC_", "LANG", "MPL", "NUMBA", "SKLEARN", "SCIPY", "TF_",
    "OPTUNA", "HOME", "XDG_", "COLUMNS", "TERM", "NO_COLOR", "PROTOCOL_BUFFERS",
)  # fmt: skip


def popen(words: Sequence[str], *, cold: bool = False, **how: Any) -> "subprocess.Popen[str]":
    """``python`` with ``words``, as :class:`subprocess.Popen` would start it.

    ``cold``: in any case.
    """
    env = how.setdefault("env", dict(os.environ))
    kind = subprocess.Popen if cold or not _may_be_warm(words, env) else _Warm
    return kind([sys.executable, *words], text=True, **how)


def run(
    words: Sequence[str], *, timeout: float | None = None, **how: Any
) -> "subprocess.CompletedProcess[str]":
    """``python`` with ``words`` to its end, with its output; ``how``: as :func:`popen` takes it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with popen(words, **pipes, **how) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _may_be_warm(words: Sequence[str], env: dict[str, str]) -> bool:
    if os.environ.get("LIGHTNING_HPO_COLD_TESTS") or sys.platform != "linux":
        return False
    if words[0] not in ("-m", "-c") and not words[0].endswith(".py"):
        return False
    if env.get("PYTHONWARNINGS") == "ignore":
        env = env | {"PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "")}
    return not any(
        name.startswith(_LIBRARIES_OWN) and env.get(name, "") != os.environ.get(name, "")
        for name in {*env, *os.environ} - _HARMLESS
    )


@cache
def _address() -> str:
    """Where this process's server listens; it ends with us."""
    folder = tempfile.mkdtemp(prefix="warm")
    address = str(Path(folder) / "socket")
    theirs, ours = os.pipe()
    # With one thread a process can be forked; BLAS would start its own.
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("warm_server.py")), address, str(theirs)],
        env=env,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs],
    )
    os.close(theirs)

    @atexit.register
    def end() -> None:
        os.close(ours)
        server.wait()
        shutil.rmtree(folder)

    while not Path(address).exists():
        assert server.poll() is None, "the process that starts the tests' programs must start"
    return address


class _Warm(subprocess.Popen):
    """A process that the server forks for us, and whose end it tells us."""

    def _execute_child(self, *values: Any) -> None:
        how = inspect.signature(super()._execute_child).bind(*values).arguments
        streams = [how["p2cread"], how["c2pwrite"], how["errwrite"]]
        fds = [number if fd == -1 else fd for number, fd in enumerate(streams)]
        folder = str(how["cwd"] or os.getcwd())
        asked = request(self.args[1:], dict(how["env"]), folder, [0, 1, 2])
        if how["process_group"] >= 0:
            asked["group"] = how["process_group"]
        self._remote = Remote(_address(), asked, fds)
        self.pid = self._remote.pid
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(how[end] for end in ends))

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        return self._remote.wait(wait_flags)

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                pid, status = self._remote.wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode
