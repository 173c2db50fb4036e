"""What a study leaves behind on the disk: the plugin's result file and ``results.json``."""

import logging
import shlex
import sys
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any, cast

import optuna
from omegaconf import OmegaConf
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from lightning_hpo.composition.passwords import referred
from lightning_hpo.output.masking import redact, redacted
from lightning_hpo.protocol.attributes import FORCED_RESUMES
from lightning_hpo.protocol.files import stored_json, stored_object
from lightning_hpo.protocol.folder import FinalFolder, JobFolder, StudyFolder
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.protocol.parts import PARTS
from lightning_hpo.protocol.stages import weighs_classes_alike
from lightning_hpo.protocol.versions import versions
from lightning_hpo.results import bias_corrected, nested
from lightning_hpo.results.results import Results
from lightning_hpo.results.trials import (
    best_trial,
    contenders,
    counts,
    has_reports,
    pareto_front,
)
from lightning_hpo.storage.embedded import url_of

log = logging.getLogger(__name__)


def public(storage: Any, study_dir: Path) -> str:
    """The storage as it may be shown: without a password."""
    if storage is None:
        return url_of(StudyFolder(study_dir).database)
    if not isinstance(storage, str):
        return str(storage.get("_target_", "custom"))
    try:
        return redact(make_url(storage).render_as_string(hide_password=True))
    except (ArgumentError, ValueError):
        return "custom"


def save_plugin_file(study: optuna.Study, study_dir: Path) -> None:
    """``optimization_results.yaml`` as the stock plugin writes it, also when nothing completed."""
    front = pareto_front(study)
    if front is not None:
        solutions = [{key: point[key] for key in ("params", "values")} for point in front]
        found: dict[str, Any] = {"name": "optuna", "solutions": solutions}
    else:
        best = best_trial(study)
        found = {
            "name": "optuna",
            "best_params": best.params if best else None,
            "best_value": best.value if best else None,
        }
    found["trials"] = counts(study)
    OmegaConf.save(OmegaConf.create(redacted(found)), StudyFolder(study_dir).plugin_results)


def log_best(study: optuna.Study) -> None:
    """The plugin's closing log lines."""
    best = best_trial(study)
    if best is not None:
        log.info(f"Best parameters: {best.params}")
        log.info(f"Best value: {best.value}")
    elif len(study.directions) > 1:
        log.info(f"Number of Pareto solutions: {len(study.best_trials)}")
        for trial in study.best_trials:
            log.info(f"    Values: {trial.values}, Params: {trial.params}")


def guest_results(
    study: optuna.Study, *, study_dir: Path, sweeper: Any, monitor: str, goes_on_with: str | None
) -> Results:
    """The content of ``results.json`` where the trials are jobs of another application.

    ``sweeper``: the configuration of the sweeper; ``goes_on_with``: what the same command needs to
    find this study again.
    """
    script, *words = sys.argv
    again = [goes_on_with] if goes_on_with and goes_on_with not in words else []
    found = {
        "application": script,
        **_search_results(study, monitor=monitor),
        "sampler": sweeper.sampler.get("_target_"),
        "pruner": _pruner(study, sweeper.pruner),
        "storage": public(sweeper.storage, study_dir.resolve()),
        "command": shlex.join(["python", script, *map(referred, words), *again]),
    }
    return cast(Results, {"study_name": study.study_name, **redacted(found)})


def _pruner(study: optuna.Study, node: Any) -> str | None:
    if node == "auto":
        # Where nothing reports there is nothing to prune.
        return type(study.pruner).__name__ if has_reports(study) else None
    return (node or {}).get("_target_")


def _search_results(study: optuna.Study, *, monitor: str) -> dict[str, Any]:
    """What every search has found, whatever its jobs are."""
    best = best_trial(study)
    return {
        "monitor": monitor,
        "direction": study.directions[0].name.lower(),
        "trials": counts(study),
        "best": {"number": best.number, "value": best.value, "params": best.params}
        if best
        else None,
        "pareto": pareto_front(study),
        FORCED_RESUMES: study.user_attrs.get(FORCED_RESUMES, []),
        "seconds": {"search": 0.0, "final": 0.0} | study.user_attrs.get("seconds", {}),
        "versions": versions(),
    }


def results(
    study: optuna.Study,
    *,
    study_dir: Path,
    config: Any,
    facts: Facts,
) -> Results:
    """The content of ``results.json``; parts that did not run are null.

    So is a final job of parameters that are no longer the best, nor those that won a race or were
    chosen.
    """
    best, race = best_trial(study), _race(study, study_dir, config)
    taken = race["winner"] if race else None
    if taken is None and best is not None:
        taken = best.number
    numbers = {taken, config.study.get("final_trial")}
    found = {
        "experiment": config.hydra.runtime.choices.get("experiment"),
        **_search_results(study, monitor=config.monitor),
        "bias_corrected": bias_corrected.of_search(
            study, study_dir, at_last_epoch=bool(config.get("scheduler"))
        ),
        "race": race,
        **_final_results(
            StudyFolder(study_dir).final,
            numbers,
            monitor=config.monitor,
            class_names=facts.class_names,
        ),
        "data": {
            "name": facts.data_name,
            "sha256": facts.data_sha256,
            "noise_variance": facts.noise_variance,
        },
        "outer": _outer(config),
        "nested": nested.summary(study_dir, config.study.get("nested")),
        "lock_box": OmegaConf.select(config, "data.lock_box"),
        "seed": config.seed,
        "sampler": config.hydra.sweeper.sampler.get("_target_"),
        "pruner": (config.get("pruner") or {}).get("_target_"),
        "storage": public(config.study.storage, study_dir.resolve()),
        "command": "python -m lightning_hpo " + shlex.join(map(referred, sys.argv[1:])),
    }
    # The refit's also counts the test.
    found["data_description"] = found["data_description"] or dict(facts.description) or None
    # By its name the study is found again.
    return cast(Results, {"study_name": study.study_name, **redacted(found)})


def _race(study: optuna.Study, study_dir: Path, config: Any) -> dict[str, Any] | None:
    """The race of the study's folder, unless others are best by now, or none was asked for."""
    found = stored_object(StudyFolder(study_dir).race.result)
    asked = config.study.get("race") is not False and config.study.get("final_trial") is None
    if found is None or not asked:
        return None
    numbers = [candidate["number"] for candidate in found.get("candidates", ())]
    best = [trial.number for trial in contenders(study)[: len(numbers)]]
    return found if numbers and numbers == best else None


def _outer(config: Any) -> dict[str, int] | None:
    """Of which outer fold this study is; None: it is whole."""
    fold, n_folds = config.study.get("outer_fold"), config.study.get("outer_folds")
    return None if fold is None else {"fold": fold, "n_folds": n_folds}


def _final_results(
    final: FinalFolder,
    numbers: Set[int | None],
    *,
    monitor: str,
    class_names: Sequence[str] = (),
) -> dict[str, Any]:
    """What the final job found, if it was that of one of these trials; else nothing."""
    # Imports scipy, for which nobody should wait at the start of a command.
    from lightning_hpo.results import trivial

    number = stored_json(final.trial)
    is_of_another = isinstance(number, int) and number not in numbers
    found: dict[str, Any] = {"final_trial": None if is_of_another else number}
    for part in PARTS:
        results = [] if is_of_another else _whole(part.folders(final))
        found |= part.summary(results, monitor)
    balanced = weighs_classes_alike(monitor)
    trivials = None if is_of_another else trivial.of_final(final, class_names, balanced=balanced)
    found["trivial"] = trivials
    return found


def _whole(folders: Sequence[JobFolder]) -> list[dict[str, Any]]:
    """The results of those that are done; a damaged one, which would be made again, is named."""
    paths = [folder.result for folder in folders if folder.result.exists()]
    found = {path: stored_object(path) for path in paths}
    for path in (path for path, result in found.items() if result is None):
        log.warning(f"{path} is damaged and left out; with study.final=true it is made again")
    return [result for result in found.values() if result is not None]
