"""Servers on loopback for one test run: a PostgreSQL cluster, and Optuna's gRPC proxy."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "5ecret-Wort"
_USER = "postgres"
_PROXY = """
import sys
import optuna
storage = optuna.storages.get_storage(sys.argv[1])
optuna.storages.run_grpc_proxy_server(storage, host="127.0.0.1", port=int(sys.argv[2]))
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``; Debian keeps it out of the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return folders[-1] if folders else None


@contextmanager
def postgres(programs: Path, settings: str = "") -> Iterator[int]:
    """A fresh cluster that wants a password; its port. Its files live in a temporary folder.

    ``settings``: more of the server's own, as its command line takes them.
    """
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            shutil.chown(home, _USER)
        port = free_port()
        data = str(home / "data")
        _initialise(programs, home, data)
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home}"
            f" -c fsync=off -c shared_buffers=16MB {settings}"
        )
        control = [str(programs / "pg_ctl"), "-D", data, "-w"]
        _run_unprivileged([*control, "-o", options, "-l", str(home / "log"), "start"])
        try:
            yield port
        finally:
            _run_unprivileged([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(home)


def _initialise(programs: Path, home: Path, data: str) -> None:
    password_file = home / "password"
    password_file.write_text(PASSWORD)
    password_file.chmod(0o644)
    words = [str(programs / "initdb"), "-D", data, "-U", _USER, "--auth=scram-sha-256"]
    _run_unprivileged([*words, f"--pwfile={password_file}", "--no-sync", "--encoding=UTF8"])


def _run_unprivileged(words: list[str]) -> None:
    user = _USER if os.geteuid() == 0 else None
    group = _USER if os.geteuid() == 0 else None
    done = subprocess.run(
        words,
        user=user,
        group=group,
        extra_groups=[] if user else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def grpc_proxy(url: str) -> Iterator[int]:
    """Optuna's storage proxy in front of ``url``, in a process of its own; its port."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROXY, url, str(port)], stderr=subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        server.kill()
        server.wait()
