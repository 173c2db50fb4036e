"""A study's storage, and how any process on any machine gets hold of a live trial.

Pruners are not stored with a study, and ``study.trials[i]`` is a frozen trial whose ``report``
does nothing; so a job rebuilds its trial from storage, study name, number and pruner.
"""

import importlib.util
import json
import logging
import re
import sys
import time
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.exceptions import StorageInternalError
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.trial import Trial
from sqlalchemy.engine import URL, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from lightning_hpo.composition.instantiate import make
from lightning_hpo.composition.vault import secrets_of_storage
from lightning_hpo.errors import UserError, of_driver, one_line
from lightning_hpo.output.masking import MASK, learn, redact, storage_secrets
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.storage.embedded import LOCK_TIMEOUT_S, EmbeddedStorage, use_write_ahead_log
from lightning_hpo.storage.plain import DIALECTS, PlainStorage

# What Optuna imports when it opens its first database.
_OPENS = ("alembic.command", "alembic.config", "alembic.migration", "alembic.script")
_CONNECT_TIMEOUT_S = 10
# Several controllers may create the tables of a fresh store at the same moment; all but one fail.
_FRESH_STORE_TRIES = 6
_LONGEST_NAME_BYTES = 200
# Separators, control characters, and halves of characters, which no file system takes.
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What else follows a question mark belongs to the name of a folder, which would be cut off there.
_SQLITE_QUERY = re.compile(r"(?:\w+=[^&]*(?:&|$))*")
# Modules and what SQLAlchemy calls them, the best one first: its own choice depends on its version
# (2.1 prefers psycopg, 2.0 psycopg2), never on what is there.
_POSTGRESQL = {"psycopg": "psycopg", "psycopg2": "psycopg2"}
_MYSQL = {"MySQLdb": "mysqldb", "pymysql": "pymysql"}
_DRIVERS = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL}
_DRIVER_PACKAGES = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
}


def check_study_name(name: str | None) -> str:
    """``name`` if it names a folder inside ``studies/``; raises :class:`UserError` if not."""
    text = name or ""
    is_folder = text.strip() not in ("", ".", "..") and not _NOT_IN_NAMES.search(text)
    if name is None or not is_folder or len(text.encode()) > _LONGEST_NAME_BYTES:
        shown = "null" if name is None else repr(text[:80])
        raise UserError(
            "study.name must be the name of one folder, without / or \\ and at most"
            f" {_LONGEST_NAME_BYTES} bytes long, got {shown}; say where it lies with"
            " study.dir=..."
        )
    return text


def create_storage(spec: Any, study_dir: Path) -> BaseStorage:
    """The storage for the process that creates the study.

    ``spec``: None for the embedded one in ``study_dir``, a URL, or a mapping with ``_target_``.
    """
    if spec is None:
        use_write_ahead_log(StudyFolder(study_dir).database)
    return open_storage(spec, study_dir)


def open_storage(spec: Any, study_dir: Path) -> BaseStorage:
    """The storage of an existing study; opened once in a process.

    Raises:
        UserError: without the password, for one that is malformed or out of reach.
    """
    if spec is None:
        return _embedded(StudyFolder(study_dir).database.resolve())
    learn(secrets_of_storage(spec))
    if isinstance(spec, str):
        return _from_url(spec)
    plain = OmegaConf.to_container(spec, resolve=True) if OmegaConf.is_config(spec) else spec
    return _from_target(json.dumps(plain, sort_keys=True))


def storage_errors() -> tuple[type[Exception], ...]:
    """What a storage raises when it is out of reach or full."""
    # Who has not imported grpc has no proxy that could fail.
    grpc: Any = sys.modules.get("grpc")
    return (StorageInternalError, SQLAlchemyError, *([grpc.RpcError] if grpc else []))


def load_what_opens() -> None:
    """Import what the first database that is opened would, while nobody waits for it."""
    # As Optuna does: it logs each of its parts.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for name in _OPENS:
        import_module(name)


@lru_cache(maxsize=4)
def _embedded(path: Path) -> BaseStorage:
    return get_storage(EmbeddedStorage(path))


@lru_cache(maxsize=4)
def _from_url(text: str) -> BaseStorage:
    url = parsed(text)
    options = _engine_options(url)
    _connect_once(url, options)
    plain = url.render_as_string(hide_password=False)
    kind = PlainStorage if url.get_backend_name() in DIALECTS else RDBStorage
    for tries in range(1, _FRESH_STORE_TRIES + 1):
        try:
            return get_storage(kind(plain, engine_kwargs=dict(options)))
        except (SQLAlchemyError, StorageInternalError) as error:
            if tries == _FRESH_STORE_TRIES:
                raise _unusable(_shown(url), error) from None
            time.sleep(0.05 * 2**tries)
    raise AssertionError("the last try returns or raises")


@lru_cache(maxsize=4)
def _from_target(text: str) -> BaseStorage:
    spec = json.loads(text)
    try:
        storage = make(spec)
    except storage_errors() as error:
        raise _unusable(str(spec.get("_target_")), error) from None
    if not isinstance(storage, BaseStorage):
        raise UserError(
            "study.storage must be null, a URL or the _target_ of an Optuna storage, got"
            f" {redact(text)}."
        )
    if hasattr(storage, "wait_server_ready"):
        _wait_for_proxy(storage, spec)
    return get_storage(storage)


def _wait_for_proxy(storage: Any, spec: dict[str, Any]) -> None:
    try:
        storage.wait_server_ready(timeout=_CONNECT_TIMEOUT_S)
    except ConnectionError:
        where = f"{spec.get('host', 'localhost')}:{spec.get('port', 13000)}"
        raise UserError(
            f"study.storage must be reachable, got a gRPC proxy at {where} that does not answer"
            f" within {_CONNECT_TIMEOUT_S} s; start it, or correct host and port."
        ) from None


def parsed(text: str) -> URL:
    """The URL of a storage with its driver; raises :class:`UserError` for a malformed one."""
    try:
        url = make_url(re.sub(r"^postgres(?=[:+])", "postgresql", text))
    except (ArgumentError, ValueError):
        # Not the error's own words: a part of the password may stand in them.
        for secret in storage_secrets(text):
            text = text.replace(secret, MASK)
        raise UserError(
            "study.storage must be a URL such as postgresql://user@host/database, got"
            f" {redact(text)!r}; percent-encode special characters in a password."
        ) from None
    query = text.partition("?")[2]
    if url.get_backend_name() == "sqlite" and not _SQLITE_QUERY.fullmatch(query):
        raise UserError(
            "study.storage must be a URL in which a path's own question mark is %3F, got"
            f" {redact(text)!r}."
        )
    if url.drivername in _DRIVERS:
        url = url.set(drivername=f"{url.drivername}+{_driver(_DRIVERS[url.drivername])}")
    return url


def _driver(drivers: dict[str, str]) -> str:
    """The first that is installed, or the first."""
    installed = (name for module, name in drivers.items() if importlib.util.find_spec(module))
    return next(installed, next(iter(drivers.values())))


def _engine_options(url: URL) -> dict[str, Any]:
    kind = url.get_backend_name()
    if kind == "sqlite":
        return {"connect_args": {"timeout": LOCK_TIMEOUT_S}}
    # A trial may take hours, and servers and firewalls close idle connections before that.
    options: dict[str, Any] = {"pool_pre_ping": True}
    if kind in ("postgresql", "mysql", "mariadb") and not url.drivername.endswith("connector"):
        options["connect_args"] = {"connect_timeout": _CONNECT_TIMEOUT_S}
    return options


def _connect_once(url: URL, options: dict[str, Any]) -> None:
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError:
        raise UserError(
            f"study.storage must name a database of SQLAlchemy's, got {url.drivername}://;"
            " PostgreSQL and MySQL carry many machines."
        ) from None
    except ModuleNotFoundError as error:
        module = (error.name or "").split(".")[0]
        raise UserError(
            f"study.storage={_shown(url)} needs a driver that is not installed:"
            f" pip install '{_DRIVER_PACKAGES.get(module, module.lower())}'."
        ) from None
    try:
        engine.connect().close()
    except SQLAlchemyError as error:
        raise _unusable(_shown(url), error) from None
    finally:
        engine.dispose()


def _unusable(shown: str, error: Exception) -> UserError:
    reason = one_line(of_driver(error.__cause__ or error))
    return UserError(
        f"study.storage must be reachable and writable, got {shown}: {reason}."
        " Start the server, or correct the URL."
    )


def _shown(url: URL) -> str:
    return redact(url.render_as_string(hide_password=True))


def attach_trial(
    spec: Any, study_dir: Path, *, study_name: str, number: int, pruner: BasePruner | None
) -> Trial:
    """The live trial ``number``, which reports and prunes from this process."""
    if spec is None and not StudyFolder(study_dir).database.is_file():
        # Opening it would make a new one.
        raise UserError(f"a trial needs the study's database, but {study_dir} holds none any more.")
    # The parameters are already suggested: a sampler that costs nothing keeps the attachment cheap.
    study = optuna.load_study(
        study_name=study_name,
        storage=open_storage(spec, study_dir),
        sampler=RandomSampler(),
        # Given none, Optuna would take its median pruner.
        pruner=pruner or NopPruner(),
    )
    trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    return Trial(study, trial_id)
