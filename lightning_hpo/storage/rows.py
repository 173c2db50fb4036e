"""Trials read from a database and added to it by plain statements: SQLite, PostgreSQL, MySQL.

What is read and what is stored are what Optuna's own objects read and store; SQLAlchemy makes an
object of every row of every table, keeps track of its changes, and takes ten times as long.
"""

import copy
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb.models import NOT_FOUND_MSG, TrialValueModel
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import Connection, CursorResult

_PARAMS = "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)"
# Their own numbers, which are SQLite's row ids too: rows come in the order of being stored.
_KEYS = {
    "trial_params": "param_id",
    "trial_values": "trial_value_id",
    "trial_user_attributes": "trial_user_attribute_id",
    "trial_system_attributes": "trial_system_attribute_id",
    "trial_intermediate_values": "trial_intermediate_value_id",
}
_MYSQL = ("mysql", "mariadb")
_VALUES = "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?)"
_INSTEAD = (
    "ON CONFLICT (trial_id, objective)"
    " DO UPDATE SET value = excluded.value, value_type = excluded.value_type"
)
_INSTEAD_IN_MYSQL = "ON DUPLICATE KEY UPDATE value = VALUES(value), value_type = VALUES(value_type)"
_SPECIAL = {"NAN": math.nan, "INF_POS": math.inf, "INF_NEG": -math.inf}


def trial(connection: Connection, trial_id: int) -> FrozenTrial:
    """Raises KeyError where there is none."""
    for found in _trials(connection, f"trial_id = {int(trial_id)}"):
        return found
    raise KeyError(NOT_FOUND_MSG)


def trials(
    connection: Connection,
    study_id: int,
    states: Collection[TrialState] | None,
    included: Collection[int],
    greater_than: int,
) -> list[FrozenTrial]:
    """Of a study those with the ids ``included`` and those after ``greater_than``."""
    _check_exists(connection, study_id)
    after = f"trial_id > {int(greater_than)}"
    if included:
        after += f" OR trial_id IN ({', '.join(str(int(each)) for each in included)})"
    where = f"study_id = {int(study_id)} AND ({after})"
    if states is not None:
        names = ", ".join(f"'{state.name}'" for state in states)
        where += f" AND state IN ({names})"
    return list(_trials(connection, where))


def add(connection: Connection, study_id: int, draft: FrozenTrial) -> FrozenTrial:
    """A trial that has not ended, with a new id and the next number."""
    _check_exists(connection, study_id, alone=True)
    trial_id = _inserted(connection, study_id, draft)
    count = "SELECT COUNT(*) FROM trials WHERE study_id = ? AND trial_id < ?"
    number = _execute(connection, count, (study_id, trial_id)).scalar_one()
    _execute(connection, "UPDATE trials SET number = ? WHERE trial_id = ?", (number, trial_id))
    params = []
    for name, each in draft.distributions.items():
        # Of one type, which a driver may ask for: of a choice it is a whole number.
        value = float(each.to_internal_repr(draft.params[name]))
        params.append((trial_id, name, value, distribution_to_json(each)))
    if params:
        _execute(connection, f"{_PARAMS} VALUES (?, ?, ?, ?)", params)
    for table, attributes in (("user", draft.user_attrs), ("system", draft.system_attrs)):
        rows = [(trial_id, key, json.dumps(value)) for key, value in attributes.items()]
        insert = f"INSERT INTO trial_{table}_attributes (trial_id, {_key(connection)}, value_json)"
        if rows:
            _execute(connection, f"{insert} VALUES (?, ?, ?)", rows)
    added = copy.deepcopy(draft)
    added.number, added._trial_id = number, trial_id
    return added


def end(
    connection: Connection, trial_id: int, state: TrialState, values: Sequence[float] | None
) -> TrialState | None:
    """Give a trial its last state; None, or the state that it has ended in before."""
    ended = _stored(datetime.now())
    update = "UPDATE trials SET state = ?, datetime_complete = ? WHERE trial_id = ?"
    may_end = f"{update} AND state IN ('RUNNING', 'WAITING')"
    done = _execute(connection, may_end, (state.name, ended, trial_id))
    if not done.rowcount:
        return trial(connection, trial_id).state
    told = []
    for objective, value in enumerate(values or ()):
        stored, kind = TrialValueModel.value_to_stored_repr(value)
        told.append((trial_id, objective, stored, kind.name))
    if told:
        instead = _INSTEAD_IN_MYSQL if connection.dialect.name in _MYSQL else _INSTEAD
        _execute(connection, f"{_VALUES} {instead}", told)
    return None


def _execute(
    connection: Connection,
    statement: str,
    parameters: tuple[Any, ...] | list[tuple[Any, ...]],
) -> CursorResult[Any]:
    """With ``?`` in the place of each parameter, whatever the driver writes there."""
    if connection.dialect.paramstyle != "qmark":
        statement = statement.replace("?", "%s")
    return connection.exec_driver_sql(statement, parameters)


def _key(connection: Connection) -> str:
    """The column of that name, which is a word of MySQL's own."""
    return connection.dialect.identifier_preparer.quote("key")


def _check_exists(connection: Connection, study_id: int, *, alone: bool = False) -> None:
    """``alone``: whoever asks so too waits until this transaction ends."""
    known = f"SELECT 1 FROM studies WHERE study_id = {int(study_id)}"
    if alone and connection.dialect.name != "sqlite":
        known += " FOR UPDATE"
    if connection.exec_driver_sql(known).first() is None:
        raise KeyError(NOT_FOUND_MSG)


def _inserted(connection: Connection, study_id: int, draft: FrozenTrial) -> int:
    """The id of a new row of the table of trials."""
    values = (study_id, draft.state.name, _stored(draft.datetime_start))
    insert = "INSERT INTO trials (study_id, state, datetime_start) VALUES (?, ?, ?)"
    # MySQL gives nothing back, and of MariaDB's drivers one knows no last row of its own.
    dialect = connection.dialect
    if dialect.insert_returning and dialect.name in ("postgresql", "mariadb"):
        return int(_execute(connection, f"{insert} RETURNING trial_id", values).scalar_one())
    return int(_execute(connection, insert, values).lastrowid)


def _trials(connection: Connection, where: str) -> Iterator[FrozenTrial]:
    columns = "trial_id, number, state, datetime_start, datetime_complete"
    query = f"SELECT {columns} FROM trials WHERE {where} ORDER BY trial_id"
    found = connection.exec_driver_sql(query).fetchall()
    if not found:
        return
    of = f"({', '.join(str(row[0]) for row in found)})"
    params = _grouped(connection, "trial_params", "param_name, param_value, distribution_json", of)
    values = _grouped(connection, "trial_values", "objective, value, value_type", of)
    attribute = f"{_key(connection)}, value_json"
    user = _grouped(connection, "trial_user_attributes", attribute, of)
    system = _grouped(connection, "trial_system_attributes", attribute, of)
    steps = "step, intermediate_value, intermediate_value_type"
    reported = _grouped(connection, "trial_intermediate_values", steps, of)
    for trial_id, number, state, started, ended in found:
        distributions = {name: _distribution(text) for name, _, text in params[trial_id]}
        by_objective = {k: _SPECIAL.get(kind, value) for k, value, kind in values[trial_id]}
        yield FrozenTrial(
            number=number,
            state=TrialState[state],
            value=None,
            values=[by_objective[k] for k in sorted(by_objective)] or None,
            datetime_start=_local(started),
            datetime_complete=_local(ended),
            params={
                name: distributions[name].to_external_repr(value)
                for name, value, _ in params[trial_id]
            },
            distributions=distributions,
            user_attrs={key: json.loads(text) for key, text in user[trial_id]},
            system_attrs={key: json.loads(text) for key, text in system[trial_id]},
            intermediate_values={
                step: _SPECIAL.get(kind, value) for step, value, kind in reported[trial_id]
            },
            trial_id=trial_id,
        )


def _grouped(
    connection: Connection, table: str, columns: str, of: str
) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of these trials, in the order in which they were stored, by the trial's id."""
    query = f"SELECT trial_id, {columns} FROM {table} WHERE trial_id IN {of}"
    query += f" ORDER BY {_KEYS[table]}"
    rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    # All at once: a driver's cursor asks its connection for each row that is taken by itself.
    for trial_id, *values in connection.exec_driver_sql(query).fetchall():
        rows[trial_id].append(tuple(values))
    return rows


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    # Nothing changes a distribution; those of a study's trials are the same few.
    return json_to_distribution(text)


def _local(stored: str | datetime | None) -> datetime | None:
    # SQLite has them as text, other drivers as what they are; both in UTC.
    if stored is None:
        return None
    utc = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    return utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def _stored(local: datetime | None) -> str | None:
    if local is None:
        return None
    naive = local.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")
