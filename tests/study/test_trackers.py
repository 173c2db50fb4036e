"""MLflow's files and W&B offline, in one slot that runs fit after fit: each is a run of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command import run, trials

pytestmark = [pytest.mark.sweep, pytest.mark.filterwarnings("ignore")]

WORDS = (
    *(
        "logger=[csv,wandb,mlflow]",
        "study_callbacks=[mlflow]",
        "study.n_jobs=1",
        "study.n_trials=3",
    ),
    *("optimizer=sgd", "optimizer.lr=choice(1e-2, 1e-9, 1e30)", "study.final=false"),
    "study.enqueue=[{optimizer.lr: 1e-2}, {optimizer.lr: 1e-9}, {optimizer.lr: 1e30}]",
    "pruner.n_startup_trials=1",
)
ENDS = {"trial 0": "FINISHED", "trial 1": "KILLED", "trial 2": "FAILED"}


def test_a_run_for_each_fit_that_ends_as_the_trial_does(tmp_path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    status, _, err = run(tmp_path, *WORDS)
    assert status == 0, err
    study_dir = tmp_path / "studies" / "tiny"
    told = trials(study_dir)
    assert [trial.state.name for trial in told] == ["COMPLETE", "PRUNED", "FAIL"]

    client = tracking.MlflowClient(f"file:{study_dir}/mlruns")
    found = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    runs = {run.info.run_name: run for run in found}
    # The study's callback names its runs by the numbers alone.
    assert set(runs) - set(ENDS) == {"0", "1", "2"}
    assert {name: runs[name].info.status for name in ENDS} == ENDS
    assert runs["trial 0"].data.params["optimizer.lr"] == "0.01"
    assert runs["trial 0"].data.metrics["objective"] == pytest.approx(told[0].value)

    for number in range(3):
        folder = study_dir / "trials" / str(number)
        assert len(list(folder.glob("wandb/offline-run-*/*.wandb"))) == 1
        assert "val/loss" in (folder / "metrics.csv").read_text()
        assert not list(folder.glob("events*"))
    # The preparation's runs are gone with it.
    assert not list((study_dir / "logs").rglob("*.wandb"))
