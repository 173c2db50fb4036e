"""Storages: opened once, and each mistake in one line that hides the password."""

import socket
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.storage.study import (
    attach_trial,
    check_study_name,
    create_storage,
    open_storage,
    parsed,
    storage_errors,
)

HERE = Path("unused")


def refused(spec) -> str:
    with pytest.raises(UserError) as caught:
        open_storage(spec, HERE)
    message = str(caught.value)
    assert "\n" not in message
    assert "5ecret" not in message
    return message


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_storage_is_opened_once_in_a_process(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    target = OmegaConf.create({"_target_": "optuna.storages.InMemoryStorage"})
    for spec, folder in ((url, HERE), (target, HERE), (None, tmp_path)):
        opened = open_storage(spec, folder)
        assert open_storage(spec, folder) is opened
        engine = getattr(getattr(opened, "_backend", None), "engine", None)
        if engine is not None:
            engine.dispose()


def test_a_server_that_does_not_answer_is_one_clear_line(closed_port):
    pytest.importorskip("psycopg")
    message = refused(f"postgresql://me:5ecret@127.0.0.1:{closed_port}/hpo")
    assert f"got postgresql+psycopg://me:***@127.0.0.1:{closed_port}/hpo: " in message
    assert "refused" in message
    assert "Start the server, or correct the URL." in message


def test_a_folder_that_is_not_there_is_one_clear_line():
    assert "unable to open database file" in refused("sqlite:////nowhere/to/be/found.db")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("study.log", "must be a URL such as postgresql://user@host/database, got 'study.log'"),
        ("postgresql://me:5ecret@db:port/hpo", "percent-encode special characters"),
        ("postgresql://me:a/5ecret@db:port/hpo", "got 'postgresql://me:***@db:port/hpo'"),
        ("redis://me:5ecret@db/0", "must name a database of SQLAlchemy's, got redis://"),
        ({"_target_": "builtins.dict"}, "the _target_ of an Optuna storage"),
    ],
)
def test_what_is_no_storage_is_refused_with_the_way_out(spec, words):
    assert words in refused(spec)


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [
        ("postgresql+psycopg2://me:5ecret@db/hpo", "psycopg2", "psycopg2-binary"),
        ("mysql+mysqldb://me:5ecret@db/hpo", "MySQLdb", "mysqlclient"),
        ("mysql+pymysql://me:5ecret@db/hpo", "pymysql", "pymysql"),
    ],
)
def test_a_driver_that_is_missing_is_named_with_its_package(url, module, package, monkeypatch):
    # As if it were not installed, also where it is.
    monkeypatch.setitem(__import__("sys").modules, module, None)
    assert f"needs a driver that is not installed: pip install '{package}'." in refused(url)


@pytest.mark.parametrize(
    ("text", "installed", "driver"),
    [
        ("postgres", {"psycopg", "psycopg2"}, "postgresql+psycopg"),
        ("postgresql", {"psycopg2"}, "postgresql+psycopg2"),
        ("postgresql", set(), "postgresql+psycopg"),
        ("mysql", {"MySQLdb", "pymysql"}, "mysql+mysqldb"),
        ("mysql", {"pymysql"}, "mysql+pymysql"),
        ("mariadb", {"pymysql"}, "mariadb+pymysql"),
        ("mysql", set(), "mysql+mysqldb"),
        ("mysql+mysqlconnector", {"pymysql"}, "mysql+mysqlconnector"),
    ],
)
def test_a_url_that_names_no_driver_gets_one_that_is_installed(
    text, installed, driver, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda module: module in installed or None)
    assert parsed(f"{text}://me@db/hpo").drivername == driver


def test_a_proxy_that_does_not_answer_is_one_clear_line(closed_port, monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setattr("lightning_hpo.storage.study._CONNECT_TIMEOUT_S", 0.2)
    target = "optuna.storages.GrpcStorageProxy"
    message = refused({"_target_": target, "host": "127.0.0.1", "port": closed_port})
    assert f"a gRPC proxy at 127.0.0.1:{closed_port} that does not answer" in message


def test_what_a_storage_raises_is_known():
    names = {error.__name__ for error in storage_errors()}
    assert {"StorageInternalError", "SQLAlchemyError"} <= names


@pytest.mark.parametrize("name", ["cnn", "my study", 'it\'s "one" & <b>', "..a", "größe", "a.b=c"])
def test_a_name_that_is_one_folder_is_accepted(name, tmp_path):
    check_study_name(name)
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/b", "../a", "/a", "a\\b", "a\nb", "x" * 201]
)
def test_a_name_that_would_leave_its_folder_is_refused(name):
    with pytest.raises(UserError, match="must be the name of one folder"):
        check_study_name(name)


def test_a_job_without_a_pruner_is_never_pruned(tmp_path):
    study = optuna.create_study(study_name="free", storage=create_storage(None, tmp_path))
    for values in ([0.1] * 3, [9.0] * 3):
        for _ in range(6):
            number = study.ask().number
            trial = attach_trial(None, tmp_path, study_name="free", number=number, pruner=None)
            for step, value in enumerate(values):
                trial.report(value, step)
                # Optuna's own default, the median pruner, would prune the second half.
                assert not trial.should_prune()
            study.tell(number, values[-1])
    study._storage._backend.engine.dispose()


# Behind it, SQLAlchemy looks for options, and would create a file "what" beside the folder.
@pytest.mark.parametrize("url", ["sqlite:///what?/a.db", "sqlite:///a?b/study.db?mode=rw"])
def test_a_question_mark_in_a_path_is_refused(url):
    assert "a path's own question mark is %3F" in refused(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql//me:5ecret@db/hpo",
        "me:5ecret@db/hpo",
        "postgresql://me:5ecret/hpo",
        "postgresql:/me:5e/5ecret@db/hpo",
    ],
)
def test_a_misspelt_url_shows_no_password(url):
    message = refused(url)
    assert "study.storage must be a URL such as" in message
    assert "***" in message


def test_the_host_behind_an_unencoded_at_sign_shows_no_password():
    pytest.importorskip("psycopg")
    message = refused("postgresql://me:p@5ecret@127.0.0.1.invalid/hpo")
    assert "must be reachable and writable" in message


def test_a_mapping_whose_server_does_not_answer_is_one_clear_line(closed_port):
    pytest.importorskip("psycopg")
    options = {"connect_args": {"password": "5ecret"}}
    url = f"postgresql+psycopg://me@127.0.0.1:{closed_port}/hpo"
    spec = {"_target_": "optuna.storages.RDBStorage", "url": url, "engine_kwargs": options}
    message = refused(OmegaConf.create(spec))
    assert "reachable and writable, got optuna.storages.RDBStorage: " in message
    assert "refused" in message


LOADED_EARLY = """
import logging, sys
from pathlib import Path
from lightning_hpo.storage.study import create_storage, load_what_opens

def alembic():
    return {name for name in sys.modules if name.partition(".")[0] == "alembic"}

logging.basicConfig(level=logging.INFO)
print(len(alembic()))
load_what_opens()
before = alembic()
create_storage(None, Path(sys.argv[1]))
print(bool(before), alembic() - before)
"""


# Rule: Optuna leaves the tool that makes its tables to the first database; it can come earlier, and
# as silently.
def test_what_opens_a_database_is_loaded_before_one_is_opened(tmp_path):
    (tmp_path / "study").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", LOADED_EARLY, str(tmp_path / "study")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.stdout, ran.stderr) == ("0\nTrue set()\n", "")
