"""Callbacks and loggers of a user's own, in a fit: all of them there, all in the fit's folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.callbacks.loggers import MaskedCSVLogger, MaskedTensorBoardLogger
from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import build, observers
from lightning_hpo.fitting.serial import fit
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.final import without_early_stopping
from lightning_hpo.protocol.messages import JobContext

CALLBACKS = "pytorch_lightning.callbacks"
TIMER = f"{{_target_: {CALLBACKS}.Timer}}"
STOPPING = f"{{_target_: {CALLBACKS}.EarlyStopping, monitor: val/loss}}"
CHECKPOINT = f"{{_target_: {CALLBACKS}.ModelCheckpoint, monitor: val/loss}}"
CSV = "{_target_: pytorch_lightning.loggers.CSVLogger, save_dir: SAVE_DIR}"


# Rule: what watches a metric needs it to be logged; whatever else a callback has is its own.
def test_which_metric_a_callback_needs() -> None:
    assert observers.monitor_of(pl.callbacks.EarlyStopping(monitor="val/loss")) == "val/loss"
    assert observers.monitor_of(pl.callbacks.ModelCheckpoint()) is None
    assert observers.monitor_of(pl.callbacks.Timer()) is None


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(folder: Path, *overrides: str) -> DictConfig:
    small = ["data=digits", "data.train_limit=100", "model=fc", "trainer.accelerator=cpu"]
    small += ["trainer.max_epochs=2", f"study.dir={folder}/studies/s", "study.name=s"]
    return compose("config", overrides=[*small, *overrides])


def kinds(found: list) -> list[type]:
    return [type(item) for item in found]


@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_a_fit_with_a_checkpoint_a_logger_and_callbacks_of_the_trainer(tmp_path: Path) -> None:
    cfg = composed(
        tmp_path,
        f"+callbacks.checkpoint={CHECKPOINT}",
        f"+callbacks.rate={{_target_: {CALLBACKS}.LearningRateMonitor}}",
        f"+trainer.callbacks=[{TIMER}]",
        f"+trainer.logger=[{CSV.replace('SAVE_DIR', str(tmp_path / 'mylogs'))}]",
    )
    folder = tmp_path / "studies" / "s" / "trials" / "0"
    fit(cfg, Split(), 1, JobContext(folder))
    assert len(list((folder / "checkpoints").glob("*.ckpt"))) == 1
    ours = (folder / "metrics.csv").read_text()
    assert "lr-Adam" in ours
    # By study and trial: loggers that count their folders would race for the next number.
    theirs = tmp_path / "mylogs" / "lightning_logs" / "s" / "trials" / "0" / "metrics.csv"
    assert theirs.read_text() == ours
    assert {path.name for path in tmp_path.iterdir()} == {"studies", "mylogs"}


def test_callbacks_of_group_and_trainer_are_added_and_counted_once(tmp_path: Path) -> None:
    cfg = composed(tmp_path, f"+trainer.callbacks={{timer: {TIMER}}}", f"+callbacks.timer={TIMER}")
    assert kinds(build.callbacks(cfg, with_validation=True)) == [
        pl.callbacks.EarlyStopping,
        pl.callbacks.Timer,
    ]
    assert kinds(build.callbacks(cfg, with_validation=False)) == [pl.callbacks.Timer]
    one = composed(tmp_path, f"+trainer.callbacks={TIMER}")
    assert kinds(build.callbacks(one, with_validation=True)) == [
        pl.callbacks.EarlyStopping,
        pl.callbacks.Timer,
    ]
    twice = composed(tmp_path, f"+trainer.callbacks=[{STOPPING}]")
    with pytest.raises(UserError, match=r"configured once, got EarlyStopping.* twice; take one"):
        build.callbacks(twice, with_validation=True)


def test_early_stopping_of_the_trainer_is_dropped_as_that_of_the_group(tmp_path: Path) -> None:
    cfg = composed(tmp_path, "callbacks=[none]", f"+trainer.callbacks=[{STOPPING}, {TIMER}]")
    left = without_early_stopping(cfg)
    assert kinds(build.callbacks(left, with_validation=True)) == [pl.callbacks.Timer]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", []),
        ("false", []),
        ("null", []),
        (CSV, [pl.loggers.CSVLogger]),
        (f"{{a: {CSV}, b: null}}", [pl.loggers.CSVLogger]),
        (f"[{CSV}, {CSV}]", [pl.loggers.CSVLogger, pl.loggers.CSVLogger]),
    ],
)
def test_the_users_loggers_come_first_and_ours_always(tmp_path: Path, value, expected) -> None:
    value = value.replace("SAVE_DIR", str(tmp_path))
    found = observers.loggers(composed(tmp_path, f"+trainer.logger={value}"), tmp_path)
    assert kinds(found) == [*expected, MaskedTensorBoardLogger, MaskedCSVLogger]


class Tracker(pl.loggers.logger.DummyLogger):
    """Keeps what it is told, of every fit."""

    told: list[tuple[str, Any]] = []  # noqa: RUF012

    def __init__(self, name: str, folder: str) -> None:
        super().__init__()
        self.told.append(("began", (name, Path(folder).name)))

    def log_hyperparams(self, params, *args, **kwargs) -> None:
        self.told.append(("hyperparameters", dict(params)))

    def log_metrics(self, metrics, step=None) -> None:
        if "objective" in metrics:
            self.told.append(("objective", metrics["objective"]))

    def finalize(self, status: str) -> None:
        self.told.append(("finalized", status))


# Rule: any logger may be named by the fit, and is told what was searched and what came of it.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_a_tracker_is_told_the_fits_name_its_hyperparameters_and_its_objective(tmp_path) -> None:
    tracker = f"{{_target_: {__name__}.Tracker, name: '${{fit:name}}', folder: '${{fit:folder}}'}}"
    cfg = composed(tmp_path, "logger=none", f"+logger.mine={tracker}", "trainer.max_epochs=1")
    Tracker.told = []
    folder = tmp_path / "studies" / "s" / "trials" / "4" / "fold_0"
    result = fit(cfg, Split(), 1, JobContext(folder, {"optimizer.lr": 0.1}))
    assert Tracker.told[0] == ("began", ("trial 4 fold 0", "fold_0"))
    assert ("hyperparameters", {"optimizer.lr": 0.1}) in Tracker.told
    assert Tracker.told[-2:] == [("objective", result.value), ("finalized", "success")]
    # metrics.csv, which the report reads, is there all the same; TensorBoard was not asked for.
    assert "val/loss" in (folder / "metrics.csv").read_text()
    assert not list(folder.glob("events*"))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("[tensorboard,csv]", [MaskedTensorBoardLogger, MaskedCSVLogger]),
        ("[csv,tensorboard]", [MaskedCSVLogger, MaskedTensorBoardLogger]),
        ("csv", [MaskedCSVLogger]),
        ("none", [MaskedCSVLogger]),
    ],
)
def test_the_loggers_of_the_group_and_always_ours_for_the_report(tmp_path, chosen, expected):
    found = observers.loggers(composed(tmp_path, f"logger={chosen}"), tmp_path / "0")
    assert kinds(found) == expected
    assert {Path(logger.log_dir) for logger in found} == {tmp_path / "0"}


def test_a_study_of_an_earlier_version_has_the_loggers_that_it_had(tmp_path: Path) -> None:
    cfg = composed(tmp_path)
    del cfg.logger
    found = observers.loggers(cfg, tmp_path)
    assert kinds(found) == [MaskedTensorBoardLogger, MaskedCSVLogger]


# Rule: a rehearsal's runs are nowhere but in its own folder.
@pytest.mark.filterwarnings("ignore")
def test_a_rehearsal_keeps_its_runs_aside(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    cfg = composed(tmp_path, "logger=[wandb,mlflow]", "logger.mlflow.tracking_uri=http://a:1")
    wandb, mlflow, csv = observers.loggers(cfg, tmp_path / "0", aside=tmp_path / "aside")
    assert wandb._wandb_init["mode"] == "offline"
    assert (wandb.save_dir, mlflow.save_dir) == (str(tmp_path / "aside"),) * 2
    wandb, mlflow, csv = observers.loggers(cfg, tmp_path / "studies" / "s" / "final" / "refit")
    assert "mode" not in wandb._wandb_init
    assert wandb._wandb_init["group"] == "s" and wandb._wandb_init["name"] == "refit"
    refit = tmp_path / "studies" / "s" / "final" / "refit"
    assert Path(wandb.save_dir) == Path(csv.log_dir) == refit
    assert mlflow._tracking_uri == "http://a:1"
    assert (mlflow._experiment_name, mlflow._run_name) == ("s", "refit")


def test_a_logger_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="given with their _target_"):
        observers.loggers(composed(tmp_path, "+trainer.logger=wandb"), tmp_path)


def trainer_of(cfg: DictConfig, folder: Path) -> pl.Trainer:
    return build.trainer(cfg, folder, build.callbacks(cfg, with_validation=True))


def test_checkpoints_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    assert not trainer_of(composed(tmp_path), tmp_path).checkpoint_callbacks
    asked = composed(tmp_path, "+trainer.enable_checkpointing=true")
    (checkpoint,) = trainer_of(asked, tmp_path / "0").checkpoint_callbacks
    assert isinstance(checkpoint, pl.callbacks.ModelCheckpoint)
    assert checkpoint.dirpath == str(tmp_path / "0" / "checkpoints")
    assert trainer_of(asked, tmp_path / "0").default_root_dir == str(tmp_path / "0")


def test_a_progress_bar_that_is_asked_for_by_name_is_there(tmp_path: Path) -> None:
    cfg = composed(tmp_path, f"+callbacks.bar={{_target_: {CALLBACKS}.RichProgressBar}}")
    assert isinstance(trainer_of(cfg, tmp_path).progress_bar_callback, pl.callbacks.RichProgressBar)


# Rule: a place for the files of all fits, such as ./checkpoints, would mix them.
def test_a_place_outside_the_jobs_folder_is_refused(tmp_path: Path) -> None:
    cfg = composed(tmp_path)
    job = tmp_path / "logs"
    observers.check_places(
        cfg,
        job,
        [pl.callbacks.ModelCheckpoint(dirpath=job / "a"), pl.callbacks.LearningRateMonitor()],
    )
    with pytest.raises(UserError, match=r"dirpath=.*/elsewhere is one place .*\$\{hydra:runtime"):
        observers.check_places(
            cfg, job, [pl.callbacks.ModelCheckpoint(dirpath=tmp_path / "elsewhere")]
        )
    cfg = composed(tmp_path, "+trainer.default_root_dir=/scratch")
    with pytest.raises(UserError, match=r"trainer.default_root_dir=/scratch is one place"):
        observers.check_places(cfg, job, [])
