"""Loggers: no secret in what they keep, and a run that ends with its fit."""

import os
from argparse import Namespace
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import yaml

from lightning_hpo.callbacks.loggers import (
    MaskedCSVLogger,
    MaskedMLFlowLogger,
    MaskedTensorBoardLogger,
    MaskedWandbLogger,
    finishing,
)
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl


@pytest.mark.parametrize("kind", [MaskedTensorBoardLogger, MaskedCSVLogger])
@pytest.mark.parametrize("wrapped", [dict, Namespace])
def test_a_url_among_hyperparameters_shows_no_password(
    tmp_path: Path, kind: type[pl.loggers.Logger], wrapped: type
) -> None:
    logger = kind(tmp_path, name="", version="")  # type: ignore[call-arg]
    logger.log_hyperparams(wrapped(dsn="mysql://me:5ecret@db/h", lr=0.1, shape=(3, 8)))
    logger.save()
    logger.finalize("success")
    stored = yaml.unsafe_load((tmp_path / "hparams.yaml").read_text())
    assert stored == {"dsn": "mysql://me:***@db/h", "lr": 0.1, "shape": [3, 8]}


# Rule: Lightning's loggers refuse a frozen dataclass, such as a user's settings; a split of ours
# is none.
@pytest.mark.parametrize("kind", [MaskedTensorBoardLogger, MaskedCSVLogger])
def test_dataclasses_among_hyperparameters(tmp_path: Path, kind: type[pl.loggers.Logger]) -> None:
    @dataclass(frozen=True)
    class Settings:
        depth: int = 2

    logger = kind(tmp_path, name="", version="")  # type: ignore[call-arg]
    logger.log_hyperparams({"settings": Settings(), "split": Split(method="kfold", fold=3)})
    logger.save()
    stored = yaml.safe_load((tmp_path / "hparams.yaml").read_text())
    assert (stored["settings"], stored["split"]["fold"]) == ({"depth": 2}, 3)
    plain = pl.loggers.TensorBoardLogger(tmp_path / "plain", name="", version="")
    plain.log_hyperparams({"split": Split(fold=3)})
    plain.save()
    assert "fold: 3" in (tmp_path / "plain" / "hparams.yaml").read_text()


ENDS = {
    "complete": (None, "FINISHED"),
    "pruned": (optuna.TrialPruned("pruned at epoch 1"), "KILLED"),
    "failed": (ValueError("too large"), "FAILED"),
}


def ended(logger: pl.loggers.Logger, end: Exception | None) -> None:
    with suppress(ValueError, optuna.TrialPruned), finishing([logger]):
        logger.log_hyperparams({"+lr": 0.1, "dsn": "mysql://me:5ecret@db/h"})
        logger.log_metrics({"val/loss": 0.5}, step=3)
        if end is not None:
            raise end


# Rule: a run ends with its fit, whichever way that ends, and says which.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("state", ENDS)
def test_a_run_of_mlflow_ends_with_its_fit(tmp_path: Path, monkeypatch, state: str) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    logger = MaskedMLFlowLogger(
        experiment_name="s", run_name="trial 3 fold 0", save_dir=str(tmp_path / "runs")
    )
    logger.check_access()
    end, word = ENDS[state]
    ended(logger, end)
    client = tracking.MlflowClient(f"file:{tmp_path}/runs")
    (run,) = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert (run.info.run_name, run.info.status) == ("trial 3 fold 0", word)
    assert run.data.tags["state"] == state
    assert run.data.params == {"_lr": "0.1", "dsn": "mysql://me:***@db/h"}
    assert run.data.metrics == {"val/loss": 0.5}
    # Nor does the next process find this store by itself.
    assert "MLFLOW_TRACKING_URI" not in os.environ


@pytest.mark.filterwarnings("ignore")
def test_each_fit_has_a_run_of_wandb_of_its_own(tmp_path: Path, monkeypatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    runs = []
    for number, state in enumerate(ENDS):
        logger = MaskedWandbLogger(
            project="p",
            group="s",
            name=f"trial {number}",
            save_dir=str(tmp_path),
            settings={"silent": True},
        )
        run = logger.experiment
        ended(logger, ENDS[state][0])
        assert wandb.run is None
        assert dict(run.config) == {"+lr": 0.1, "dsn": "mysql://me:***@db/h"}
        runs.append((run.id, run.group, run.name))
    assert [run[1:] for run in runs] == [("s", f"trial {n}") for n in range(3)]
    assert len({run[0] for run in runs}) == 3
    assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 3


def test_a_logger_that_was_never_used_begins_no_run(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with finishing([MaskedWandbLogger(save_dir=str(tmp_path))]):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_runs_that_would_be_sent_need_a_login(monkeypatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(wandb, "login", lambda **_: False)
    monkeypatch.setattr(
        wandb, "setup", lambda: SimpleNamespace(settings=SimpleNamespace(mode="online"))
    )
    with pytest.raises(UserError, match=r"logger=wandb needs a login; .*WANDB_MODE=offline"):
        MaskedWandbLogger.check_access()


@pytest.mark.filterwarnings("ignore")
def test_a_store_that_cannot_be_reached_is_one_line(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    logger = MaskedMLFlowLogger(experiment_name="s", tracking_uri="http://127.0.0.1:9")
    with pytest.raises(UserError, match="logger=mlflow must reach its store, but: "):
        logger.check_access()
