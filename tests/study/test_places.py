"""A study whose every place was named by Hydra's and the stock plugin's keys, in jobs elsewhere."""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lightning_hpo.jobs.again import rerun

sys.path.insert(0, str(Path(__file__).parent))
from command import results, run

pytestmark = pytest.mark.sweep

ROWS = "input,label\n" + "\n".join(f"{x / 10},{(x / 10) ** 2}" for x in range(-20, 20))
WORDS = (
    *("data=csv", "data.train_csv=train.csv", "data.test_csv=test.csv", "model=mlp"),
    *("monitor=val/loss", "study.name=true", "study.n_trials=2", "study.n_jobs=1"),
    *("cv.n_splits=2", "trainer.accelerator=cpu", "trainer.max_epochs=2"),
    "optimizer.lr=interval(1e-3, 1e-2)",
    *("hydra.job.chdir=true", "hydra.sweep.dir=odd/place", "hydra.sweep.subdir=${hydra.job.num}"),
    *("hydra.sweeper.study_name=mine", "hydra.sweeper.storage=sqlite:///mine.db"),
)


def test_jobs_know_name_storage_and_folder_wherever_they_run(tmp_path, monkeypatch):
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(ROWS)
    status, out, err = run(tmp_path, *WORDS, experiment="bare")
    assert status == 0, err
    assert "hydra.sweep.subdir has no effect here: a trial lies in trials/<its number>" in out
    study_dir = tmp_path / "odd" / "place"
    assert not (tmp_path / "studies").exists() and not (study_dir / "study.db").exists()
    found = results(study_dir)
    assert (found["study_name"], found["storage"]) == ("mine", f"sqlite:///{tmp_path}/mine.db")
    assert found["trials"]["complete"] + found["trials"]["pruned"] == 2
    assert found["test"]["test/loss"] > 0
    assert (study_dir / "final" / "figures" / "trials_side_by_side.png").is_file()
    read = OmegaConf.load(study_dir / "trials" / "1" / "config.yaml").data
    assert read.train_csv == f"{tmp_path}/train.csv"
    monkeypatch.chdir(tmp_path.parent)
    assert rerun(study_dir, found["best"]["number"]).equal
