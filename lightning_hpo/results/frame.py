"""The trials of a study as a table, a row for each: what the report's table of all trials has."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.results.readings import epochs_reported
from lightning_hpo.results.record import last_value

if TYPE_CHECKING:
    import pandas as pd

_STATES = {TrialState.FAIL: "failed"}


def frame_of(folder: Path, trials: Sequence[FrozenTrial]) -> "pd.DataFrame":
    """The trials in ``folder``, a row for each.

    Columns are ``number``, ``state``, ``value``, each searched parameter by its key, ``epochs``,
    ``seconds``, and where they are known ``fold_0``, ``fold_1``, ... and ``failure``.

    ``value`` is the objective, of a trial that did not complete what it reported last. A parameter
    that a trial did not search is missing in its row.
    """
    # Brings half a second, for which nobody should wait who reads no table.
    import pandas as pd

    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    rows = [_row(trial, names) | dict(_folds(folder, trial.number)) for trial in trials]
    last = ["failure"] if any("failure" in trial.user_attrs for trial in trials) else []
    folds = sorted({key for row in rows for key in row if key not in _columns(names)}, key=_number)
    columns = [*_columns(names), *folds, *last]
    for row, trial in zip(rows, trials, strict=True):
        row["failure"] = trial.user_attrs.get("failure")
    return pd.DataFrame([[row.get(key) for key in columns] for row in rows], columns=columns)


def _columns(names: Sequence[str]) -> list[str]:
    return ["number", "state", "value", *names, "epochs", "seconds"]


def _row(trial: FrozenTrial, names: Sequence[str]) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": _STATES.get(trial.state, trial.state.name.lower()),
        "value": last_value(trial),
        **{name: trial.params.get(name) for name in names},
        "epochs": epochs_reported(trial),
        "seconds": trial.duration.total_seconds() if trial.duration else None,
    }


def _folds(folder: Path, number: int) -> Iterator[tuple[str, float]]:
    """What each finished fold of a trial with folds counts for."""
    fold = 0
    trial = StudyFolder(folder).trial(number)
    while (found := stored_object(trial.fold(fold).result)) is not None:
        if isinstance(value := found.get("objective"), int | float):
            yield f"fold_{fold}", float(value)
        fold += 1


def _number(column: str) -> int:
    return int(column.rpartition("_")[2])
