"""One evaluation of a race: a trial on a split and with seeds of its own."""

import json
from pathlib import Path

from hydra import initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from small_configs import composed

from lightning_hpo.entry import config_dir
from lightning_hpo.fitting import splits
from lightning_hpo.jobs.race import run_race
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.messages import JobContext


def of_round(number: int, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_dir())):
        small = ["data=curve", "model=mlp", "+trainer.log_every_n_steps=1", *overrides]
        return composed(*small, "data.train_limit=null", f"study.race_round={number}")


def test_a_round_is_judged_as_the_search_judges(tmp_path: Path) -> None:
    cfg = of_round(3, "cv=kfold", "cv.n_splits=2", "callbacks=none")
    found = run_race(cfg, JobContext(tmp_path))
    assert json.loads((tmp_path / "result.json").read_text()) == found
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["epochs"], told["total"], told["metric"]) == (4, 4, "val/loss")
    (tmp_path / "as_trial").mkdir()
    trial = run_trial(cfg, JobContext(tmp_path / "as_trial"), None)
    assert found["value"] == trial.value
    assert (found["epochs"], found["split_anew"]) == (4, True)
    assert found["n_parameters"] == trial.fits[0].metrics["n_parameters"]
    OmegaConf.update(cfg, "study.race_round", None)
    (tmp_path / "in_search").mkdir()
    assert run_trial(cfg, JobContext(tmp_path / "in_search"), None).value != trial.value
    assert splits.race_is_split_anew(cfg)


def test_folds_that_are_stacked_race_as_a_stack(tmp_path: Path) -> None:
    cfg = of_round(0, "cv=kfold", "cv.n_splits=2", "cv.parallel=stacked")
    found = run_race(cfg, JobContext(tmp_path))
    other = of_round(1, "cv=kfold", "cv.n_splits=2", "cv.parallel=stacked")
    (tmp_path / "other").mkdir()
    assert run_race(other, JobContext(tmp_path / "other"))["value"] != found["value"]
    assert found["epochs"] == 4
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["epochs"], told["total"]) == (2, 2)
