"""A job finds its trial by what it is told, and outside a sweep one that does nothing."""

import json

import optuna
import pytest
from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import open_dict

from lightning_hpo.callbacks.current import current_trial
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.address import VARIABLE
from lightning_hpo.storage.study import create_storage, open_storage


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Makes this process the job of trial ``number`` of a study in ``tmp_path``."""

    def begin(number: int, *words: str) -> None:
        told = {"number": number, "study_name": "s", "folder": str(tmp_path)}
        monkeypatch.setenv(VARIABLE, json.dumps(told))
        with initialize(config_path=None):
            config = compose(
                overrides=["hydra/sweeper=lightning_hpo", "hydra.mode=MULTIRUN", *words],
                return_hydra_config=True,
            )
        with open_dict(config):
            config.hydra.runtime.cwd = str(tmp_path)
        HydraConfig.instance().set_config(config)

    yield begin
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


def study_in(tmp_path, *directions: str) -> optuna.Study:
    storage = create_storage(None, tmp_path)
    return optuna.create_study(
        study_name="s", storage=storage, directions=directions or ("minimize",)
    )


def close(tmp_path) -> None:
    open_storage(None, tmp_path)._backend.engine.dispose()


def test_outside_a_sweep_a_trial_does_nothing(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    trial = current_trial()
    trial.report(1.0, step=0)
    assert (trial.number, trial.params, trial.should_prune()) == (None, {}, False)


def test_a_job_reports_to_its_own_trial_and_knows_its_parameters(job, tmp_path):
    study = study_in(tmp_path)
    for x in (0.25, 0.75):
        study.enqueue_trial({"x": x})
        study.ask().suggest_float("x", 0, 1)
    job(1)
    trial = current_trial()
    assert (trial.number, trial.params) == (1, {"x": 0.75})
    trial.report(0.5, step=0)
    # Each call gives the same trial.
    current_trial().report(0.25, step=1)
    assert [t.intermediate_values for t in study.trials] == [{}, {0: 0.5, 1: 0.25}]
    close(tmp_path)


# Rule: the sweeper's pruner decides; by default it is Optuna's own, the median of earlier trials.
@pytest.mark.parametrize(
    ("pruner", "pruned"),
    [
        ("auto", True),
        ("null", False),
        ("{_target_: optuna.pruners.ThresholdPruner, upper: 9.5}", False),
        ("{_target_: optuna.pruners.ThresholdPruner, upper: 8.5}", True),
    ],
)
def test_the_sweepers_pruner_decides(job, tmp_path, pruner, pruned):
    study = study_in(tmp_path)
    for _ in range(5):
        trial = study.ask()
        trial.report(0.1, 0)
        study.tell(trial, 0.1)
    study.ask()
    job(5, f"hydra.sweeper.pruner={pruner}")
    trial = current_trial()
    trial.report(9.0, step=0)
    assert trial.should_prune() is pruned
    close(tmp_path)


def test_with_several_objectives_nothing_is_reported(job, tmp_path):
    study = study_in(tmp_path, "minimize", "maximize")
    study.ask()
    job(0)
    trial = current_trial()
    trial.report(9.0, step=0)
    assert (trial.number, trial.should_prune()) == (0, False)
    assert study.trials[0].intermediate_values == {}
    close(tmp_path)


# Rule: a program that a job starts, such as a rank, belongs to the trial but is not its voice.
def test_a_program_that_the_job_starts_knows_its_number_alone(job):
    job(4, "hydra.mode=RUN")
    trial = current_trial()
    trial.report(1.0, step=0)
    assert (trial.number, trial.params, trial.should_prune()) == (4, {}, False)


def test_a_relative_storage_lies_where_the_command_was_typed(job, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/own.db"
    study = optuna.create_study(study_name="s", storage=open_storage(url, tmp_path))
    study.ask()
    job(0, "hydra.sweeper.storage=sqlite:///own.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    current_trial().report(0.5, step=0)
    assert study.trials[0].intermediate_values == {0: 0.5}
    study._storage._backend.engine.dispose()


def test_a_storage_that_only_the_controller_has_is_refused(job):
    job(0, "hydra.sweeper.storage={_target_: optuna.storages.InMemoryStorage}")
    with pytest.raises(UserError, match="a storage that its jobs can open too"):
        current_trial()
