"""Hydra's own launchers under our sweeper: pruning by the shared storage, and jobs that die."""

import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

sys.path.insert(0, str(Path(__file__).parents[1] / "machines"))
from machines import Machines


def study_of(url: str) -> list[optuna.trial.FrozenTrial]:
    storage = RDBStorage(url)
    try:
        return optuna.load_study(study_name="shared", storage=storage).trials
    finally:
        storage.engine.dispose()


@pytest.mark.sweep
@pytest.mark.parametrize(("package", "launcher"), [("submitit", "submitit_local"), ("ray", "ray")])
def test_jobs_elsewhere_are_pruned_and_one_that_dies_there_is_one_failed_trial(
    package, launcher, tmp_path
):
    pytest.importorskip(package, reason=f"{package} is not installed: hydra-{package}-launcher")
    machines = Machines(tmp_path)
    try:
        machine = machines.start(
            "a",
            f"hydra/launcher={launcher}",
            "hydra/sweeper/sampler=grid",
            "x=choice(0.25,0.75)",
            "pruner=threshold",
            "pruner.upper=0.5",
            "acts={0: die, 1: report, 2: report}",
            "study.n_jobs=2",
            "study.n_trials=2",
            "study.final=false",
        )
        status, _, err = machine.end()
    finally:
        machines.close()
    assert status == 0, err
    found = study_of(f"sqlite:///{machine.study_dir}/study.db")
    assert [trial.state for trial in found].count(TrialState.FAIL) == 1
    assert found[0].state is TrialState.FAIL
    assert found[2].user_attrs["retry_of"] == 0
    ended = {trial.params["x"]: trial.state for trial in found[1:]}
    assert ended == {0.25: TrialState.COMPLETE, 0.75: TrialState.PRUNED}
