"""Database servers for the tests of this folder, and machines that leave nothing behind."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from machines import Machines
from servers import PASSWORD, mariadb, mariadb_program, postgres, postgres_programs


@pytest.fixture(scope="session")
def _postgres_port() -> Iterator[int]:
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'psycopg[binary]'")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres(programs) as port:
        yield port


@pytest.fixture(scope="session")
def _mariadb_port() -> Iterator[int]:
    pytest.importorskip("pymysql", reason="PyMySQL is not installed: pip install pymysql")
    program = mariadb_program()
    if program is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    with mariadb(program) as port:
        yield port


_names = (f"study_{number}" for number in itertools.count())


@pytest.fixture
def postgres_url(_postgres_port: int) -> str:
    """The URL, with its password, of a database of the test's own."""
    import psycopg

    server = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{_postgres_port}"
    name = next(_names)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def mariadb_url(_mariadb_port: int) -> str:
    """The URL, with its password, of a database of the test's own."""
    import pymysql

    name = next(_names)
    place = {"host": "127.0.0.1", "port": _mariadb_port, "user": "hpo", "password": PASSWORD}
    with pymysql.connect(**place) as connection:
        connection.cursor().execute(f"CREATE DATABASE {name}")
    return f"mysql+pymysql://hpo:{PASSWORD}@127.0.0.1:{_mariadb_port}/{name}"


@pytest.fixture(params=["postgresql", "mysql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    """A database of each server, by each name that the second one goes by; with its driver."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        return url.replace("postgresql", "postgresql+psycopg", 1)
    return request.getfixturevalue("mariadb_url").replace("mysql", request.param, 1)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    started = Machines(tmp_path)
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait for another process until a condition holds."""
    import time

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.02)

    return wait
