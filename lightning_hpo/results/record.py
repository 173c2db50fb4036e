"""What a study left behind, read and checked: `results.json`, the trials, the final pictures."""

import json
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lightning_hpo.composition.vault import VARIABLE
from lightning_hpo.errors import UserError, one_line
from lightning_hpo.output.masking import MASK, redact
from lightning_hpo.protocol.folder import EMBEDDED_FILE
from lightning_hpo.results.shape import misfits
from lightning_hpo.storage.embedded import url_of
from lightning_hpo.storage.maker import is_own
from lightning_hpo.storage.study import parsed

REQUIRED_KEYS = ("study_name", "monitor", "direction", "trials", "best")
MIN_COMPLETED_FOR_IMPORTANCES = 8


@dataclass(frozen=True)
class Importances:
    """Shares that sum to one, largest first; or, where `shares` is empty, why there are none.

    `top` is the fraction of the `completed` trials that counts as the best ones.
    """

    shares: Mapping[str, float]
    why_not: str = ""
    top: float = 0.0
    completed: int = 0


@dataclass(frozen=True)
class Record:
    """One study. `trials` are ordered by number and empty for a study without a search space; of
    several objectives they hold the first. `asked`: the search space as it was configured, also
    of conditional parameters that no trial has drawn."""

    folder: Path
    results: Mapping[str, Any]
    trials: tuple[FrozenTrial, ...]
    importances: Importances
    objectives: int = 1
    asked: Mapping[str, BaseDistribution] = field(default_factory=dict)

    @property
    def monitor(self) -> str:
        return str(self.results["monitor"])

    @property
    def minimize(self) -> bool:
        return bool(self.results["direction"] == "minimize")

    @property
    def winner(self) -> FrozenTrial | None:
        """The best trial, where one completed and the storage holds it."""
        best = self.results["best"]
        numbers = {trial.number: trial for trial in self.trials}
        return None if best is None else numbers.get(best["number"])

    @property
    def space(self) -> dict[str, BaseDistribution]:
        """Every searched parameter; of a range changed between trials, the latest one."""
        return {
            name: distribution
            for trial in self.trials
            for name, distribution in trial.distributions.items()
        }

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state is state]


def last_value(trial: FrozenTrial) -> float | None:
    """The objective, or for a trial that did not complete its last intermediate value."""
    if trial.value is not None:
        return trial.value
    steps = trial.intermediate_values
    return steps[max(steps)] if steps else None


def by_value(trials: list[FrozenTrial], *, minimize: bool) -> list[FrozenTrial]:
    """The trials that have a finite objective, best first."""
    finite = [trial for trial in trials if trial.value is not None and np.isfinite(trial.value)]
    return sorted(finite, key=lambda trial: trial.value or 0.0, reverse=not minimize)


def read_record(study_dir: Path, *, study: optuna.Study | None = None) -> Record:
    """Read the study in `study_dir`; its storage is opened read-only, unless `study` is given.

    Raises:
        UserError: no or no readable `results.json`, or its trials are not where it says.
    """
    results = read_results(study_dir)
    if study is not None:
        return _record(study_dir, results, study)
    with opened_study(study_dir, results) as stored:
        if stored is None:
            return Record(study_dir, results, (), Importances({}, "There was nothing to search."))
        return _record(study_dir, results, stored)


def _record(study_dir: Path, results: Mapping[str, Any], study: optuna.Study) -> Record:
    trials = study.get_trials()
    objectives = len(study.directions)
    if objectives > 1:  # FrozenTrial.value raises for several values: keep the first
        for trial in trials:
            trial.values = trial.values[:1] if trial.values else None
    importances, asked = rate_parameters(study), _configured_space(study)
    return Record(study_dir, results, tuple(trials), importances, objectives, asked)


def _configured_space(study: optuna.Study) -> dict[str, BaseDistribution]:
    described = study.user_attrs.get("fingerprint", {}).get("search space", {})
    return {name: json_to_distribution(json.dumps(d)) for name, d in described.items()}


def read_results(study_dir: Path) -> dict[str, Any]:
    path = study_dir / "results.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"A study's folder holds results.json, got {study_dir}, which has none; name the "
            "folder that the study's closing summary names, or run the study to its end first."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"results.json must be readable JSON, got {path} ({error}); run the study's command "
            "again, which writes it anew."
        ) from None
    missing = [key for key in REQUIRED_KEYS if not isinstance(results, dict) or key not in results]
    if missing:
        raise UserError(
            f"results.json must have the keys {list(REQUIRED_KEYS)}, got {path} without "
            f"{missing}; run the study's command again, which writes it anew."
        )
    odd = next(misfits(results), None)
    if odd is not None:
        raise UserError(
            f"results.json must hold what a study writes, got {path}, in which {odd}; run the"
            " study's command again, which writes it anew."
        )
    if results["direction"] not in ("minimize", "maximize"):
        raise UserError(
            "The report explains studies with one direction, minimize or maximize, got "
            f"{results['direction']!r}; open the study in optuna-dashboard instead."
        )
    return results


@contextmanager
def opened_study(study_dir: Path, results: Mapping[str, Any]) -> Iterator[optuna.Study | None]:
    """The study in its storage, or None where no trial was ever asked for."""
    url = storage_url(study_dir, results.get("storage"))
    searched = results["trials"]["total"] > 0
    file = sqlite_file(url)
    if file is None:
        _require_named(study_dir, url)
    if file is not None and not file.exists() and not searched:
        yield None
        return
    with clear_errors(url, str(results["study_name"])):
        storage = RDBStorage(
            make_url(url).render_as_string(hide_password=False),
            engine_kwargs={"poolclass": NullPool, **read_only(file)},
            skip_table_creation=True,
        )
        try:
            yield load_study(str(results["study_name"]), storage, searched=searched)
        finally:
            storage.remove_session()


def _require_named(study_dir: Path, url: str) -> None:
    """Raise :class:`UserError` for a server that only another one's file names.

    Whoever connects shows a password: the client's, where the URL has none.
    """
    if os.environ.get(VARIABLE) or is_own(study_dir):
        return
    raise UserError(
        f"The report reads a server that you name, got {redact(url)} from the study of another one"
        f" in {study_dir}; if you know it, export {VARIABLE}='{redact(url)}'."
    )


def storage_url(study_dir: Path, stored: str | None) -> str:
    """Where the trials are: the folder's own database, which travels with a moved folder, or the
    URL in `results.json`. A password hidden there is left to the variable that a study's command
    reads too, or to the database's client (for PostgreSQL: PGPASSWORD or ~/.pgpass)."""
    own = study_dir / EMBEDDED_FILE
    file = sqlite_file(stored) if stored else own
    if stored is None or (file is not None and file.name == own.name and own.exists()):
        return url_of(own)
    exported = os.environ.get(VARIABLE)
    if file is None and exported:
        return parsed(exported).render_as_string(hide_password=False)
    return stored.replace(f":{MASK}@", "@")


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for any other storage."""
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            return Path(parsed.database).absolute()
    return None


def load_study(name: str, storage: RDBStorage, *, searched: bool) -> optuna.Study | None:
    """The study of that name; its absence is an error only where trials were asked for."""
    known = name in optuna.get_all_study_names(storage)
    if not known and searched:
        raise UserError(
            "The storage must hold the study that results.json names, got none named "
            f"{name!r}; correct 'study_name' or 'storage' in results.json."
        )
    return optuna.load_study(study_name=name, storage=storage) if known else None


@contextmanager
def clear_errors(url: str, name: str) -> Iterator[None]:
    """Turn what a missing, damaged, outdated or unreachable storage raises into one line."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        reason = one_line(getattr(cause, "orig", None) or cause or error)
        raise UserError(
            f"The report needs the storage of study {name!r}, got {redact(url)}, which does not "
            f"open ({reason}); put it back, or correct 'storage' in results.json."
        ) from None


def read_only(file: Path | None) -> dict[str, Any]:
    """Engine arguments under which an SQLite file is never created and its content not changed.

    Given as a connection of our own: SQLAlchemy's versions differ in how they unquote a URL.
    """
    return {} if file is None else {"creator": lambda: _connect(file)}


def _connect(file: Path) -> sqlite3.Connection:
    # With a write-ahead log even readers need files beside the database, and a connection in mode
    # 'ro' leaves them behind. In a folder where none can be made nobody writes either.
    mode = "rw"
    if not os.access(file.parent, os.W_OK):
        mode = "ro" if file.with_name(f"{file.name}-wal").exists() else "ro&immutable=1"
    connection = sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True)
    connection.execute("PRAGMA query_only = ON")
    return connection


def rate_parameters(study: optuna.Study) -> Importances:
    """Parameter importances by PED-ANOVA (IJCAI 2023, arXiv 2304.10255), conditional ones too
    (arXiv 2601.20800): which parameters set the best tenth of the completed trials apart, or of
    few trials the best five, at most half of them, since fewer make the rating erratic."""
    completed = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.values and np.isfinite(trial.values).all()
    ]
    searched = {
        name
        for trial in completed
        for name, distribution in trial.distributions.items()
        if not distribution.single()
    }
    if len(completed) < MIN_COMPLETED_FOR_IMPORTANCES:
        return Importances(
            {},
            f"Importances need {MIN_COMPLETED_FOR_IMPORTANCES} completed trials, "
            f"this study has {len(completed)}.",
        )
    if len(searched) < 2:
        return Importances({}, "With a single parameter there is nothing to weigh it against.")
    top = min(0.5, max(0.1, 5 / len(completed)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=top)
    with warnings.catch_warnings():
        # With tied values the best trials may be all of them; the zeros that follow are told below.
        warnings.filterwarnings("ignore", message="Target and region quantiles")
        # Too few trials of a conditional parameter: the words call the whole ranking a hint then.
        warnings.filterwarnings("ignore", message="Some regimes for parameter")
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    if len(set(shares.values())) == 1:  # how Optuna normalises importances that are all zero
        return Importances({}, "No parameter sets the best trials apart from the others.")
    ordered = sorted(searched, key=lambda name: (-shares[name], name))
    return Importances({name: shares[name] for name in ordered}, "", top, len(completed))
