"""Who asks :mod:`warm_server` for processes: a test, or a program that starts others."""

import inspect
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import popen_spawn_posix, util
from pathlib import Path
from typing import Any

IGNORABLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of each number that either side sends, and before the request.
SIZE = struct.Struct("!q")


class Remote:
    """One process that the server at ``address`` forks for us."""

    def __init__(self, address: str, request: dict[str, Any], fds: list[int]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        payload = pickle.dumps(request)
        socket.send_fds(self._socket, [SIZE.pack(len(payload))], fds)
        self._socket.sendall(payload)
        self.pid = self._answer()
        self._status: int | None = None

    def wait(self, flags: int = 0) -> tuple[int, int]:
        """As :func:`os.waitpid`."""
        if self._status is None:
            wanted = 0 if flags & os.WNOHANG else None
            if not select.select([self._socket], [], [], wanted)[0]:
                return 0, 0
            self._status = self._answer()
            self._socket.close()
        return self.pid, self._status

    def _answer(self) -> int:
        answer = self._socket.recv(SIZE.size, socket.MSG_WAITALL)
        if len(answer) < SIZE.size:
            raise OSError("the process that starts the tests' programs is gone")
        return SIZE.unpack(answer)[0]


def request(
    words: list[str],
    env: dict[str, str],
    cwd: str,
    targets: list[int],
    warnoptions: Sequence[str] = (),
) -> dict[str, Any]:
    """``python`` with ``words``; the process gets the sent descriptors under these numbers.

    ``warnoptions``: as ``-W`` takes them.
    """
    return {
        "words": words,
        "warnoptions": list(warnoptions),
        "by": os.getpid(),
        "env": env,
        "cwd": cwd,
        "targets": targets,
        "group": os.getpgid(0),
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "ignored": [each for each in IGNORABLE if signal.getsignal(each) is signal.SIG_IGN],
    }


def asked_for(address: str, by: int) -> dict[int, list[str]]:
    """The running processes that process ``by`` has asked for, with the words of each."""
    notes = (Path(address).parent / "asked").glob(f"{by}-*")
    found = {}
    for note in notes:
        with suppress(FileNotFoundError):
            found[int(note.name.partition("-")[2])] = note.read_text().split("\0")
    return found


class Warm(subprocess.Popen):
    """A process that the server at ``address`` forks for us, and whose end it tells us.

    ``strict``: warnings are errors in it.
    """

    def __init__(self, *words: Any, address: str, strict: bool = False, **how: Any) -> None:
        self._address = address
        self._warnoptions = ["error"] if strict else []
        super().__init__(*words, **how)

    def _execute_child(self, *values: Any) -> None:
        how = inspect.signature(super()._execute_child).bind(*values).arguments
        streams = [how["p2cread"], how["c2pwrite"], how["errwrite"]]
        fds = [number if fd == -1 else fd for number, fd in enumerate(streams)]
        folder = str(how["cwd"] or os.getcwd())
        words, env = self.args[1:], dict(how["env"])
        asked = request(words, env, folder, [0, 1, 2], self._warnoptions)
        if how["process_group"] >= 0:
            asked["group"] = how["process_group"]
        self._remote = Remote(self._address, asked, fds)
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


def start_from(address: str) -> None:
    """Let what this process starts start warm in its turn: slots, and studies by their command."""
    _spawn_from(address)
    _start_studies_from(address)


def _start_studies_from(address: str) -> None:
    class Popen(subprocess.Popen):
        """Of a study's command a warm one; of any other program what it would have been."""

        def __new__(cls, args: Any, *more: Any, env: Any = None, **how: Any) -> Any:
            if cls is not Popen or not _is_study(args):
                return super().__new__(cls)
            env = {**(os.environ if env is None else env), "PYTHONUNBUFFERED": "1"}
            return Warm([sys.executable, *args[2:]], *more, address=address, env=env, **how)

    subprocess.Popen = Popen


def _is_study(args: Any) -> bool:
    return isinstance(args, list) and args[:4] == [sys.executable, "-u", "-m", "lightning_hpo"]


def _spawn_from(address: str) -> None:
    cold = util.spawnv_passfds
    remotes: dict[int, Remote] = {}

    def spawnv_passfds(path: Any, args: list[Any], fds: Any) -> int:
        words = [os.fsdecode(word) for word in args[1:]]
        is_python = os.fsdecode(path) == sys.executable
        if not is_python or not any("spawn_main" in word for word in words):
            return cold(path, args, fds)
        numbers = [0, 1, 2, *sorted(map(int, fds))]
        # The interpreter's own flags are the server's too.
        asked = request(
            words[words.index("-c") :], dict(os.environ), os.getcwd(), numbers, sys.warnoptions
        )
        remote = Remote(address, asked, numbers)
        remotes[remote.pid] = remote
        return remote.pid

    def poll(self: popen_spawn_posix.Popen, flag: int = os.WNOHANG) -> int | None:
        if self.pid not in remotes:
            return inherited(self, flag)
        if self.returncode is None:
            pid, status = remotes[self.pid].wait(flag)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    inherited = popen_spawn_posix.Popen.poll
    util.spawnv_passfds = spawnv_passfds
    popen_spawn_posix.Popen.poll = poll
