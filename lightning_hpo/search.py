"""A study of classes and ranges that a Python program has, without a file of configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_hpo.api import StudyRecord, run
from lightning_hpo.machine import caller
from lightning_hpo.scripting.experiment import (
    Experiment,
    checked_name,
    direction_of,
    require_class,
    whole_keys,
)


def search(
    module: type | str,
    data: type | str,
    space: Mapping[str, Any],
    *,
    monitor: str | None = None,
    mode: str | None = None,
    n_trials: int | None = None,
    max_epochs: int | None = None,
    folds: int | None = None,
    n_jobs: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    study_dir: str | Path | None = None,
    pruner: str | None = None,
    sampler: str | None = None,
    overrides: Sequence[str | Mapping[str, Any]] = (),
) -> StudyRecord:
    """Search the best arguments of a module of your own, without a file of configuration.

    ``search(Net, Digits, {"lr": log_interval(1e-4, 1e-1), "data.batch_size": choice(32, 64)})``
    writes the experiment that anybody would write by hand into ``code/`` in the study's folder, and
    runs it by :func:`run`. :attr:`StudyRecord.command` runs the same in a terminal.

    The classes are imported by the study's processes: from their module, from the script that this
    is, whose call stands below ``if __name__ == "__main__":``, or from a notebook, whose classes
    and what they name are written into a module beside the experiment.

    Args:
        module: a LightningModule, its class, or the name of one of ours, ``"cnn"``.
        data: a LightningDataModule, its class, or the name of data of ours, ``"digits"``.
        space: what is searched, and values that are given. A key without a dot is an argument of
            the module; ``data.x`` is one of the data module, and ``trainer.x``, ``optimizer.x``
            and so on are those of the configuration. A range is :func:`interval`,
            :func:`log_interval`, :func:`integers`, :func:`choice`, or a distribution of Optuna's.
        monitor: the logged metric that decides; ``val/loss`` by default.
        mode: ``min`` or ``max``; by default max for accuracies and their like, else min.
        n_trials: trials of the study in all, also when it goes on.
        max_epochs: epochs of a fit at most.
        folds: folds of the final cross-validation.
        n_jobs: trials at a time.
        seed: of splits, weights and suggestions.
        name: the study's; by default the module's, in small letters.
        study_dir: the study's folder, ``studies/<name>`` by default.
        pruner: the name of one of ours, ``"hyperband"``; ``"none"``: no trial is stopped early.
        sampler: the name of one of ours, ``"random"``.
        overrides: everything else, as :func:`run` takes it.

    Returns:
        The study's record, as :func:`load_study` returns it.

    Raises:
        UserError: for a class that cannot be imported or a key that is none; else as :func:`run`.
        KeyboardInterrupt: as :func:`run`.
    """
    caller.refuse_within()
    require_class(module, of="module", example="search(Net, Data, {'width': 64})")
    require_class(data, of="data", example="search(Net, Data, {'data.batch_size': 64})")
    name = checked_name(name or (module if isinstance(module, str) else module.__name__).lower())
    said = {
        "study.name": name,
        "study.dir": None if study_dir is None else str(study_dir),
        "study.n_trials": n_trials,
        "study.n_jobs": n_jobs,
        "monitor": monitor,
        "mode": mode or (None if monitor is None else direction_of(monitor)),
        "seed": seed,
        "trainer.max_epochs": max_epochs,
        "cv.n_splits": folds,
    }
    options = {"pruner": pruner, "hydra/sweeper/sampler": sampler}
    experiment = Experiment(
        name,
        parts={"data": data, "model": module},
        values=_given(said) | whole_keys(module, space),
        options=_given(options),
    )
    folder = Path("studies", name) if study_dir is None else Path(study_dir)
    with experiment.written(folder) as code:
        return run(f"+experiment={name}", *overrides, config_dir=code)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
