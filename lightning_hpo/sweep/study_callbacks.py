"""optuna-integration's callbacks that follow a study: ``study_callbacks=[mlflow]``, ``[wandb]``.

Each is called after every told trial, in the controller.
"""

import sys
from collections.abc import Callable
from typing import Any

import optuna

from lightning_hpo.composition.mlflow_files import place_kept, tracking_uri
from lightning_hpo.errors import UserError

StudyCallback = Callable[[optuna.Study, optuna.trial.FrozenTrial], None]


def mlflow(*, folder: str, uri: str | None = None, **arguments: Any) -> StudyCallback:
    """``optuna_integration.MLflowCallback``, whose runs lie in ``folder`` unless ``uri`` is given.

    Raises :class:`UserError` where MLflow is not installed.
    """
    from optuna_integration.mlflow import MLflowCallback

    try:
        callback = MLflowCallback(tracking_uri=tracking_uri(uri, folder), **arguments)
    except ImportError:
        raise _missing("mlflow", "mlflow-skinny") from None

    def call(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        with place_kept():
            callback(study, trial)

    return call


def wandb(**arguments: Any) -> StudyCallback:
    """``optuna_integration.WeightsAndBiasesCallback``; raises :class:`UserError` without wandb."""
    from optuna_integration.wandb import WeightsAndBiasesCallback

    try:
        return WeightsAndBiasesCallback(**arguments)
    except ImportError:
        raise _missing("wandb", "wandb") from None


def _missing(name: str, package: str) -> UserError:
    return UserError(
        f"study_callbacks=[{name}] needs a package that is not installed: {sys.executable} -m pip"
        f" install {package}"
    )
