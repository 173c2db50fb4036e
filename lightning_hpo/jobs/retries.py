"""A retried trial goes on where the one that it replaces was killed: at the first missing fold.

A retry is a new trial with the attribute ``retry_of`` and a folder of its own, and may be retried
itself. Each finished fold leaves ``fold_<k>/result.json`` in its trial's folder.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.errors import UserError
from lightning_hpo.fitting.plan import n_folds
from lightning_hpo.protocol.attributes import CONTINUES, MISTAKE, RETRIED
from lightning_hpo.protocol.files import stored_config, stored_object, write_json
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import FitResult

log = logging.getLogger(__name__)

# Parts of a configuration that decide no fit.
_OF_THE_STUDY = ("study", "study_callbacks", "logger")


def passed_over(trial: FrozenTrial) -> bool:
    """Whether a failed trial takes no place in the study's total.

    One that was tried again counts in the trial that replaced it; a mistake of the configuration,
    which ended the search, tells nothing of the parameters.
    """
    attributes = trial.user_attrs
    failed = trial.state is TrialState.FAIL
    return failed and bool(attributes.get(RETRIED) or attributes.get(MISTAKE))


def lineage(trials: Sequence[FrozenTrial], number: int) -> list[int]:
    """``number``, the trial that it retries, and so on; the last is the original.

    The seeds of a trial derive from the original's number: a retry does what an undisturbed trial
    would have done, to the bit.
    """
    numbers = [number]
    while (earlier := trials[numbers[-1]].user_attrs.get("retry_of")) is not None:
        numbers.append(earlier)
    return numbers


@dataclass(frozen=True)
class Finished:
    """A fold that trial ``number`` has fitted."""

    number: int
    result: FitResult


def finished_folds(cfg: DictConfig, folder: Path, numbers: Sequence[int]) -> list[Finished]:
    """The first folds, in order, that the trials ``numbers`` have finished, the nearest first.

    ``folder``: of the trial that goes on; the others lie beside it. One whose configuration differs
    in more than that of study and loggers, for example after a resume, is passed over.
    """
    folders = {n: JobFolder(folder.parent / str(n)) for n in numbers}
    usable = [n for n in numbers if _same_fits(cfg, folders[n])]
    found: list[Finished] = []
    for fold in range(n_folds(partial(OmegaConf.select, cfg))):
        results = ((n, _read(folders[n].fold(fold).result)) for n in usable)
        done = next(((n, result) for n, result in results if result is not None), None)
        if done is None:
            break
        found.append(Finished(*done))
    return found


def write_result(
    folder: Path, fold: int, result: FitResult, objective: float, taken_from: int | None = None
) -> None:
    """Leave the result of ``fold`` in its ``folder``; a kill leaves all of it or nothing.

    ``objective``: what it counts for in the trial.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {"fold": fold, "objective": objective, **asdict(result)}
    if taken_from is not None:
        content["taken_from_trial"] = taken_from
    write_json(JobFolder(folder).result, content)


def say_what_continues(live: optuna.trial.Trial, taken: Sequence[Finished]) -> None:
    """Into the trial's log, and into the study as its attribute ``continues``."""
    where = {str(fold): done.number for fold, done in enumerate(taken)}
    live.set_user_attr(CONTINUES, where)
    folds = ", ".join(f"{fold} (trial {number})" for fold, number in where.items())
    log.info(f"taken over from trials whose process died: folds {folds}")


def report_again(live: optuna.trial.Trial, number: int, steps: range) -> None:
    """Report what trial ``number`` reported in ``steps``.

    The pruner looks at each step, because some pruners note what they saw; that trial was let go on
    there, so the answers do not count.
    """
    reported = live.study.get_trials(deepcopy=False)[number].intermediate_values
    for step in sorted(set(steps) & reported.keys()):
        live.report(reported[step], step)
        live.should_prune()


def _read(path: Path) -> FitResult | None:
    """None where the fold was not finished, or its result is damaged by now."""
    content = stored_object(path) or {}
    # A result of an earlier version has fewer fields.
    found = {k: content[k] for k in FitResult.__dataclass_fields__ if k in content}
    try:
        return FitResult(**found)
    except TypeError:
        return None


def _same_fits(cfg: DictConfig, folder: JobFolder) -> bool:
    try:
        return _of_fits(stored_config(folder.config)) == _of_fits(cfg)
    except UserError:
        # Of a try that ended before it could say what it ran, or damaged since.
        return False


def _of_fits(cfg: Any) -> dict[str, Any]:
    container: Any = OmegaConf.to_container(cfg, resolve=True)
    return {key: value for key, value in container.items() if key not in _OF_THE_STUDY}
