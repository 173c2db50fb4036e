"""optuna-integration's callbacks, with MLflow's files and W&B offline for real."""

import os
from pathlib import Path

import optuna
import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.sweep import study_callbacks

pytestmark = pytest.mark.filterwarnings("ignore")


def objective(trial: optuna.Trial) -> float:
    # Named as overrides are, which MLflow refuses as it is.
    trial.set_user_attr("+experiment", "mine")
    return trial.suggest_float("+x", 0, 1)


def followed(callback, name: str = "s") -> None:
    study = optuna.create_study(study_name=name)
    study.optimize(objective, n_trials=2, callbacks=[callback])


def test_mlflow_has_a_run_for_each_trial_and_leaves_no_variable(
    tmp_path: Path, monkeypatch
) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    followed(study_callbacks.mlflow(folder=str(tmp_path / "runs"), metric_name="val/loss"))
    client = tracking.MlflowClient(f"file:{tmp_path}/runs")
    runs = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert {run.info.run_name for run in runs} == {"0", "1"}
    assert all(run.data.metrics["val/loss"] == float(run.data.params["_x"]) for run in runs)
    assert {run.data.tags["_experiment"] for run in runs} == {"mine"}
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_wandb_has_a_run_for_each_trial_and_none_is_left_open(tmp_path: Path, monkeypatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    arguments = {"project": "p", "dir": str(tmp_path), "settings": {"silent": True}}
    followed(study_callbacks.wandb(wandb_kwargs=arguments, as_multirun=True))
    assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 2
    assert wandb.run is None


def test_a_package_that_is_missing_is_one_line(monkeypatch) -> None:
    def missing(**_):
        raise ImportError("no wandb")

    monkeypatch.setattr("optuna_integration.wandb.WeightsAndBiasesCallback", missing)
    with pytest.raises(UserError, match=r"study_callbacks=\[wandb\] needs .*pip install wandb"):
        study_callbacks.wandb()
