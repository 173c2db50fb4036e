"""Starts Python programs with the large libraries loaded, which else take most of a test's time.

A process of a study imports torch and what comes with it, for six seconds of a processor; a tiny
study has three processes. Here they are forked from one that has imported it all. What a program
is started with must not matter to those imports: a flag of the interpreter or a variable that a
library reads while it is loaded makes it a cold start, as does ``LIGHTNING_HPO_COLD_TESTS=1``.
Tests whose subject is a start, an import or the tree of the processes use :mod:`subprocess`.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import popen_spawn_posix, util
from pathlib import Path
from typing import Any

import psutil
from warm_client import Warm, asked_for, start_from

# Read when they matter, by the programs and not by a library as it is loaded.
_HARMLESS = {"PYTHONPATH", "PYTHONUNBUFFERED", "OMP_NUM_THREADS"}
_LIBRARIES_OWN = (
    "PYTHON", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "LD_", "MALLOC_", "GLIBC_", "CUDA_", "TORCH",
    "PYTORCH", "LC_", "LANG", "MPL", "NUMBA", "SKLEARN", "SCIPY", "TF_",
    "OPTUNA", "HOME", "XDG_", "COLUMNS", "TERM", "NO_COLOR", "PROTOCOL_BUFFERS",
)  # fmt: skip


def popen(
    words: Sequence[str], *, cold: bool = False, strict: bool = False, **how: Any
) -> "subprocess.Popen[str]":
    """``python`` with ``words``, as :class:`subprocess.Popen` would start it.

    ``cold``: in any case. ``strict``: with ``-W error``, which a program that starts warm heeds
    once the libraries are loaded.
    """
    env = how.setdefault("env", dict(os.environ))
    if cold or not _may_be_warm(words, env):
        flags = ["-W", "error"] if strict else []
        return subprocess.Popen([sys.executable, *flags, *words], text=True, **how)
    return Warm([sys.executable, *words], address=_address(), text=True, strict=strict, **how)


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


@contextmanager
def spawning() -> Iterator[None]:
    """What :mod:`multiprocessing` spawns in this process starts warm, and so does a study."""
    before = util.spawnv_passfds, popen_spawn_posix.Popen.poll, subprocess.Popen
    if sys.platform == "linux" and not os.environ.get("LIGHTNING_HPO_COLD_TESTS"):
        start_from(_address())
    try:
        yield
    finally:
        util.spawnv_passfds, popen_spawn_posix.Popen.poll, subprocess.Popen = before


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """What a program has spawned by :mod:`multiprocessing` and still runs."""
    if isinstance(process, Warm):
        spawned = asked_for(_address(), process.pid).items()
        return [psutil.Process(pid) for pid, words in spawned if _is_spawned(words)]
    children = psutil.Process(process.pid).children()
    return [child for child in children if _is_spawned(child.cmdline())]


def spawned_words(process: "subprocess.Popen[str]") -> set[str]:
    """The command lines, as cold starts would show them, of all that a warm start has led to."""
    found, pids = set(), [process.pid] if isinstance(process, Warm) else []
    for pid in pids:
        asked = asked_for(_address(), pid)
        pids += asked
        found |= {" ".join(words) for words in asked.values()}
    return found


def _is_spawned(words: Sequence[str]) -> bool:
    return any("spawn_main" in word for word in words)


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
