"""The process that :mod:`warm` forks Python programs from: it has imported what they all import.

Nothing of this package is among it, and Lightning is put aside (:mod:`warm_modules`), so a program
imports those by itself. Each connection asks for one process; it is told the process's id, and its
exit status when that ends. Who has asked for which process stands in files beside the socket.
"""

import atexit
import fcntl
import gc
import importlib
import io
import os
import pickle
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
import types
import warnings
from contextlib import suppress
from multiprocessing import process
from pathlib import Path
from typing import Any

import warm_modules
from warm_client import IGNORABLE, SIZE, start_from

LIBRARIES = (
    "torch",
    "torch._dynamo",
    "torch.utils.tensorboard",
    "torchvision",
    "torchmetrics",
    "matplotlib.pyplot",
    "hydra",
    "omegaconf",
    "optuna",
    "pandas",
    "rich.console",
    "rich.progress",
    "scipy.stats",
    "sklearn.model_selection",
    "sqlalchemy.orm",
    "sqlalchemy.dialects.sqlite",
    "alembic.command",
    "alembic.migration",
    "optuna.storages._rdb.storage",
    "optuna.storages._rdb.models",
    "optuna.importance",
    "sklearn.datasets",
    "sklearn.ensemble",
    "tensorboard.plugins.hparams.api_pb2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "pygments.formatters",
)
# Each after those that it needs.
PUT_ASIDE = ("lightning_fabric", "pytorch_lightning")
# Filters of warnings that the libraries have put before the interpreter's own.
_n_filters = 0
# Above whatever a test or a study has open.
_OUT_OF_THE_WAY = 500


class Server:
    """Forks on request until its owner, who holds the other end of ``owner``, is gone."""

    def __init__(self, address: str, owner: int) -> None:
        self.address = address
        self._owner = owner
        self._listener = socket.socket(socket.AF_UNIX)
        self._folder = Path(address).parent / "asked"
        self._folder.mkdir()
        # Who sees the address finds somebody who listens.
        self._listener.bind(f"{address}_to_be")
        self._listener.listen(64)
        os.rename(f"{address}_to_be", address)
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running: dict[int, socket.socket] = {}
        self._notes: dict[int, Path] = {}

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """Returns in each new process what was asked for, and in the server None at its end."""
        signal.set_wakeup_fd(self._woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self._owner, self._listener, self._wake], [], [])
            if self._owner in ready:
                return None
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            if self._listener in ready:
                asked = self._fork()
                if asked is not None:
                    return asked

    def _fork(self) -> tuple[dict[str, Any], list[int]] | None:
        connection, _ = self._listener.accept()
        asked, fds = _received(connection)
        pid = os.fork()
        if pid == 0:
            self._leave(connection)
            return asked, fds
        for fd in fds:
            os.close(fd)
        with suppress(ProcessLookupError):
            os.setpgid(pid, asked["group"])
        self._running[pid] = connection
        self._notes[pid] = self._folder / f"{asked['by']}-{pid}"
        self._notes[pid].write_text("\0".join(asked["words"]))
        _tell(connection, pid)
        return None

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self._running.pop(pid)
            self._notes.pop(pid).unlink()
            _tell(connection, status)
            connection.close()

    def _leave(self, connection: socket.socket) -> None:
        """In a new process: let go of all that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (self._listener, connection, *self._running.values()):
            each.close()
        for fd in (self._owner, self._wake, self._woken):
            os.close(fd)
        self._running.clear()


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, fds, _, _ = socket.recv_fds(connection, SIZE.size, 64)
    (size,) = SIZE.unpack(head)
    return pickle.loads(connection.recv(size, socket.MSG_WAITALL)), fds


def _tell(connection: socket.socket, number: int) -> None:
    # Who asked may have been killed meanwhile.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(SIZE.pack(number))


# ---------------------------------------------------------------- a new process


def become(asked: dict[str, Any], fds: list[int], address: str, site: list[str]) -> None:
    """Run what was asked for, as an interpreter that has just started would."""
    _take_descriptors(fds, asked["targets"])
    for each in IGNORABLE:
        signal.signal(each, signal.SIG_IGN if each in asked["ignored"] else _default(each))
    os.chdir(asked["cwd"])
    # An interpreter sets this one by itself where the locale is C.
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update(coerced | asked["env"])
    _open_streams()
    _forget()
    _heed(asked["warnoptions"])
    start_from(address)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [*filter(None, paths), *site]
    signal.pthread_sigmask(signal.SIG_SETMASK, asked["mask"])
    _leave_with(_status(asked["words"]))


def _take_descriptors(fds: list[int], targets: list[int]) -> None:
    away = [fcntl.fcntl(fd, fcntl.F_DUPFD, _OUT_OF_THE_WAY) for fd in fds]
    os.closerange(3, _OUT_OF_THE_WAY)
    for fd, target in zip(away, targets, strict=True):
        os.dup2(fd, target)
        os.close(fd)


def _default(signum: int) -> Any:
    return signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL


def _open_streams() -> None:
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = io.FileIO(number, "w", closefd=False)
        stream = io.TextIOWrapper(
            raw if unbuffered else io.BufferedWriter(raw),
            encoding=encoding or getattr(sys, name).encoding,
            errors=errors or getattr(sys, name).errors,
            line_buffering=not unbuffered and (number == 2 or raw.isatty()),
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _forget() -> None:
    """What the server has found out or drawn, and a new interpreter would do for itself."""
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    tempfile.tempdir = None
    process.ORIGINAL_DIR = os.getcwd()
    sys.modules["numpy"].random.seed()
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads:
        sys.modules["torch"].set_num_threads(int(threads))


def _heed(warnoptions: list[str]) -> None:
    """Options for warnings stand behind what the libraries have filtered since they were told."""
    told = list(filter(None, os.environ.get("PYTHONWARNINGS", "").split(","))) + warnoptions
    if not told:
        return
    of_libraries = warnings.filters[:_n_filters]
    warm_modules.set_filters(warnings.filters[_n_filters:])
    sys.warnoptions[:] = told
    warnings._processoptions(told)
    warm_modules.set_filters([*of_libraries, *warnings.filters])


def _status(words: list[str]) -> int:
    """Of the program's end, whatever that is, with its last words on standard error."""
    try:
        _run(words)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        # The interpreter ends by the signal itself.
        raise
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _leave_with(status: int) -> None:
    """What an interpreter does at its end, but for half a second's work of freeing all modules."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


def _run(words: list[str]) -> None:
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.orig_argv = [sys.executable, *words]
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(words[1])
        return
    if words[0] == "-c":
        code, sys.argv = compile(words[1], "<string>", "exec"), ["-c", *words[2:]]
        sys.path.insert(0, "")
    else:
        sys.argv = words
        main.__file__ = str(Path(words[0]).absolute())
        code = compile(Path(words[0]).read_bytes(), main.__file__, "exec")
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
    vars(main).update(__spec__=None, __builtins__=sys.modules["builtins"])
    exec(code, vars(main))


def _site() -> list[str]:
    """The paths behind those of ``PYTHONPATH`` and of the script."""
    told = {str(Path(each).resolve()) for each in os.environ.get("PYTHONPATH", "").split(":")}
    return [each for each in sys.path[1:] if each and str(Path(each).resolve()) not in told]


def main(address: str, owner: int) -> None:
    global _n_filters
    site = _site()
    server = Server(address, owner)
    n_before = len(warnings.filters)
    for name in LIBRARIES:
        importlib.import_module(name)
    warm_modules.PutAside(PUT_ASIDE)
    _n_filters = len(warnings.filters) - n_before
    gc.collect()
    gc.freeze()
    asked = server.serve()
    if asked is None:
        return
    become(*asked, address, site)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
