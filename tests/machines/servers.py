"""Servers on loopback for one test run: PostgreSQL, MariaDB, and Optuna's gRPC proxy."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PASSWORD = "5ecret-Wort"
_USER = "postgres"
_MARIADB_USER = "mysql"
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


def _run_unprivileged(words: list[str], name: str = _USER) -> None:
    done = subprocess.run(
        words, stderr=subprocess.PIPE, text=True, timeout=60, **_unprivileged(name)
    )
    assert done.returncode == 0, done.stderr


def _unprivileged(name: str) -> dict[str, Any]:
    """How a process starts that is not root, whoever starts it, and says nothing."""
    user = name if os.geteuid() == 0 else None
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    groups = {"group": user, "extra_groups": [] if user else None}
    return {"user": user, **groups, "cwd": "/", **streams}


def mariadb_program() -> str | None:
    """``mariadbd``, which Debian keeps where only root looks."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


@contextmanager
def mariadb(program: str) -> Iterator[int]:
    """A fresh server with a user ``hpo`` that has a password; its port."""
    home = Path(tempfile.mkdtemp(prefix="mariadb-"))
    server = None
    try:
        if os.geteuid() == 0:
            # Nor does MariaDB run as root.
            shutil.chown(home, _MARIADB_USER)
        port = free_port()
        server = _started_mariadb(program, home, port)
        _wait_until_reached(server, port, home / "log")
        yield port
    finally:
        if server is not None:
            server.kill()
            server.wait()
        shutil.rmtree(home)


def _started_mariadb(program: str, home: Path, port: int) -> subprocess.Popen[bytes]:
    data = f"--datadir={home}/data"
    tables = ["mariadb-install-db", "--no-defaults", data, "--skip-test-db"]
    _run_unprivileged(tables, _MARIADB_USER)
    first = home / "first.sql"
    first.write_text(
        f"CREATE USER hpo@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO hpo@'%';\n"
    )
    words = [program, "--no-defaults", data, f"--init-file={first}", f"--log-error={home}/log"]
    words += ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={home}/socket"]
    words += [f"--pid-file={home}/pid", "--skip-name-resolve", "--debug-no-sync"]
    words += ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL, **_unprivileged(_MARIADB_USER))


def _wait_until_reached(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)


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
