"""A real study with a lock box: nobody sees it before it is opened, and each opening is counted."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import warm
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parent))
from command import TIMEOUT_S, results, run

from lightning_hpo.fitting import build, splits

pytestmark = pytest.mark.sweep

HERE = Path(__file__).parent
N_BOX = 144  # of 1,437 digits a tenth


def unlock(study_dir: Path, *words: str, cold: bool = False) -> tuple[int, str, str]:
    done = warm.run(
        ["-m", "lightning_hpo.unlock", str(study_dir), *words],
        cold=cold,
        cwd=study_dir.parents[1],
        env=({} if cold else dict(os.environ))
        | {"PYTHONPATH": f"{HERE.parents[1]}:{HERE}", "PATH": ""},
        timeout=TIMEOUT_S,
    )
    return done.returncode, done.stdout, done.stderr


def box_and_parts(config: Path, split_of: str) -> tuple[set[int], set[int]]:
    """The box, and all that the job of ``config`` trains and validates on, as whole samples."""
    cfg = OmegaConf.load(config)
    split = splits.search_split(cfg, 0) if split_of == "trial" else splits.refit_split(cfg)
    data = build.data_module(cfg, split)
    return set(data.apart.lock_box.tolist()), {*data.train_indices.tolist()} | {
        *data.val_indices.tolist()
    }


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lock_box")
    small = ("study.n_trials=2", "study.showcase=false", "logger=none", "trainer.max_epochs=1")
    words = (*small, "data.lock_box=0.1", "data.train_limit=null")
    status, out, err = run(folder, *words)
    assert (status, err) == (0, ""), out
    return folder / "studies" / "tiny"


def test_no_trial_fold_or_refit_sees_the_box(study_dir):
    box, of_refit = box_and_parts(study_dir / "final" / "refit" / "config.yaml", "refit")
    assert (len(box), len(of_refit)) == (N_BOX, 1437 - N_BOX)
    assert not box & of_refit
    for trial in (0, 1):
        same, parts = box_and_parts(study_dir / "trials" / str(trial) / "config.yaml", "trial")
        assert same == box and not box & parts
    for fold in (0, 1):
        with np.load(study_dir / "final" / f"fold_{fold}" / "fold_indices.npz") as indices:
            seen = {*indices["train"].tolist(), *indices["val"].tolist()}
        assert seen == of_refit
    assert results(study_dir)["lock_box"] == 0.1
    assert not (study_dir / "lock_box.json").exists()
    assert "It has not been opened." in (study_dir / "report.html").read_text()


# Rule: the first opening gives a value that nobody has seen; the second says that it is one.
def test_each_opening_is_counted(study_dir):
    status, out, err = unlock(study_dir, cold=True)
    assert status == 0, err
    assert f"{N_BOX} samples, the first opening" in out
    assert "no longer untouched" not in out and "95 % interval" in out
    status, again, _ = unlock(study_dir)
    assert status == 0
    assert "the second opening of this box, of the same network as the first;" in again
    assert "this value is no longer untouched" in again
    first, second = json.loads((study_dir / "lock_box.json").read_text())["openings"]
    assert (first["number"], second["number"]) == (1, 2)
    assert first["metrics"] == second["metrics"]
    assert first["metrics"].keys() == {"test/loss", "test/accuracy"}
    # A hit or a miss each: the accuracy is of the samples of the box and no others.
    assert (first["metrics"]["test/accuracy"] * N_BOX) % 1 == pytest.approx(0, abs=1e-3)

    report = ["-m", "lightning_hpo.report", str(study_dir)]
    env = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"}
    assert warm.run(report, env=env, timeout=TIMEOUT_S).returncode == 0
    page = (study_dir / "report.html").read_text()
    assert "It was opened 2 times, of the same network" in page


# Rule: the box of other data would hold samples that the network has been trained on.
def test_other_data_than_the_studys_open_no_box(study_dir):
    before = (study_dir / "lock_box.json").exists()
    provenance = study_dir / "final" / "refit" / "provenance.yaml"
    kept = provenance.read_text()
    recorded = OmegaConf.create(kept)
    OmegaConf.save({**recorded, "data_sha256": "0" * 64}, provenance)
    status, out, err = unlock(study_dir)
    provenance.write_text(kept)
    assert (status, out) == (1, "")
    assert "the data must be those of the study, but their checksum differs" in err
    assert (study_dir / "lock_box.json").exists() == before


def test_a_resume_with_another_box_is_another_study(study_dir):
    words = ("study.n_trials=3", "trainer.max_epochs=1", "data.train_limit=null", "logger=none")
    status, _, err = run(study_dir.parents[1], *words, "data.lock_box=0.2")
    assert status == 1
    assert "has other data.lock_box (was 0.1, is 0.2)" in err


# Rule: data of a user's own, which know nothing of a box, have one too; their test stays shut.
def test_data_of_a_users_own_have_a_lock_box(tmp_path):
    words = ("data.lock_box=0.1", "cv.n_splits=2", "data.num_workers=0", "study.showcase=false")
    status, out, err = run(tmp_path, *words, experiment="own_folds")
    assert (status, err) == (0, ""), out
    study_dir = tmp_path / "studies" / "own_folds"
    parts = []
    for fold in (0, 1):
        with np.load(study_dir / "final" / f"fold_{fold}" / "fold_indices.npz") as indices:
            parts.append({*indices["train"].tolist(), *indices["val"].tolist()})
    assert parts[0] == parts[1] and len(parts[0]) == 234
    status, out, err = unlock(study_dir)
    assert status == 0, err
    assert "26 samples, the first opening" in out
    (line,) = [line for line in out.splitlines() if "test_loss" in line]
    assert "95 % interval" in line and line.endswith("(Student's t over the samples)")


def test_a_search_and_a_final_job_on_more_data_have_one_box(study_dir):
    cfg = OmegaConf.load(study_dir / "final" / "refit" / "config.yaml")
    boxes = []
    for limit in (100, 400, None):
        cfg.data.train_limit = limit
        data = build.data_module(cfg, replace(splits.refit_split(cfg), method="holdout"))
        boxes.append(data.apart.lock_box.tolist())
    assert boxes[0] == boxes[1] == boxes[2] and len(boxes[0]) == N_BOX
