"""What a job is told of its parameters: as the study has them, wherever they were written."""

import optuna
from omegaconf import OmegaConf

from lightning_hpo.jobs.run import _chosen_trial, _live_trial, _with_params
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.storage.study import create_storage


def test_a_trial_and_the_final_job_know_their_parameters_with_their_types(tmp_path):
    study = optuna.create_study(storage=create_storage(None, tmp_path), study_name="s")
    for choice in (None, "true", 1):
        study.enqueue_trial({"model.kind": choice, "optimizer.lr": 0.5})
        trial = study.ask()
        trial.suggest_categorical("model.kind", [None, "true", 1])
        trial.suggest_float("optimizer.lr", 0, 1)
        study.tell(trial, 0.0)
    told = {"storage": None, "dir": str(tmp_path), "name": "s", "replay": None, "trial_number": 0}
    cfg = OmegaConf.create({"study": told, "pruner": None})
    of_trial = _with_params(JobContext(tmp_path), _live_trial(cfg))
    assert of_trial.searched == {"model.kind": None, "optimizer.lr": 0.5}
    (tmp_path / "trial.json").write_text("1")
    of_final = _with_params(JobContext(tmp_path), _chosen_trial(cfg, tmp_path))
    assert of_final.searched == {"model.kind": "true", "optimizer.lr": 0.5}
    (tmp_path / "trial.json").write_text("null")
    assert _with_params(JobContext(tmp_path), _chosen_trial(cfg, tmp_path)).searched == {}
