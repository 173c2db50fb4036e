"""optuna-integration's callbacks that follow a study: ``study_callbacks=[mlflow]``, ``[wandb]``.

Each is called after every told trial, in the controller.
"""

import copy
from typing import Any

import optuna

from lightning_hpo.composition.mlflow_files import place_kept, tracking_uri, with_safe_names
from lightning_hpo.errors import missing_package
from lightning_hpo.sweep.search.loop import StudyCallback


def mlflow(*, folder: str, uri: str | None = None, **arguments: Any) -> StudyCallback:
    """``optuna_integration.MLflowCallback``: a run of MLflow for each trial.

    Args:
        folder: where the runs lie.
        uri: a server or a database to take in its place; None: the folder.
        **arguments: that callback's others.

    Returns:
        What is called as ``callback(study, trial)`` after each told trial.

    Raises:
        UserError: where MLflow is not installed.
    """
    from optuna_integration.mlflow import MLflowCallback

    try:
        callback = MLflowCallback(tracking_uri=tracking_uri(uri, folder), **arguments)
    except ImportError:
        raise missing_package("study_callbacks=[mlflow]", "mlflow-skinny") from None

    def call(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        with place_kept():
            callback(study, _with_safe_names(trial))

    return call


def _with_safe_names(trial: optuna.trial.FrozenTrial) -> optuna.trial.FrozenTrial:
    """A copy; MLflow refuses all of a trial for one name that it does not take."""
    told = copy.copy(trial)
    told.params = with_safe_names(trial.params)
    told.distributions = with_safe_names(trial.distributions)
    told.user_attrs = with_safe_names(trial.user_attrs)
    return told


def wandb(**arguments: Any) -> StudyCallback:
    """``optuna_integration.WeightsAndBiasesCallback``: a step of one run for each trial.

    Args:
        **arguments: that callback's.

    Returns:
        What is called as ``callback(study, trial)`` after each told trial.

    Raises:
        UserError: where wandb is not installed.
    """
    from optuna_integration.wandb import WeightsAndBiasesCallback

    try:
        return WeightsAndBiasesCallback(**arguments)
    except ImportError:
        raise missing_package("study_callbacks=[wandb]", "wandb") from None
