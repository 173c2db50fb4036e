"""The trials of a study that has run are found from its folder, wherever they are stored."""

from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.storage.recorded import check_holds_no_other, recorded_trials, trials_beside
from lightning_hpo.storage.study import create_storage, open_storage


def folder_of_a_trial(study_dir: Path, storage: object) -> Path:
    """As a job leaves it: what it was told, with interpolations, and what that meant."""
    trial_dir = study_dir / "trials" / "0"
    (trial_dir / ".hydra").mkdir(parents=True)
    study = {"name": "s", "storage": storage}
    OmegaConf.save({"study": study}, trial_dir / ".hydra" / "config.yaml")
    OmegaConf.save({"study": {**study, "storage": None}}, trial_dir / "config.yaml")
    return trial_dir


def test_trials_of_the_embedded_storage(tmp_path):
    optuna.create_study(study_name="s", storage=create_storage(None, tmp_path)).ask()
    trial_dir = folder_of_a_trial(tmp_path, None)
    assert [t.number for t in recorded_trials(tmp_path)] == [0]
    assert recorded_trials(tmp_path) == trials_beside(trial_dir, tmp_path)
    open_storage(None, tmp_path)._backend.engine.dispose()


def test_trials_of_a_storage_whose_url_stands_in_the_environment(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    monkeypatch.setenv("LIGHTNING_HPO_STORAGE", url)
    optuna.create_study(study_name="s", storage=open_storage(url, tmp_path)).ask()
    folder_of_a_trial(tmp_path, "${oc.env:LIGHTNING_HPO_STORAGE}")
    assert [t.number for t in recorded_trials(tmp_path)] == [0]
    open_storage(url, tmp_path)._backend.engine.dispose()


@pytest.mark.parametrize(
    "storage",
    [
        "${oc.env:LIGHTNING_HPO_STORAGE}",
        {"_target_": "a.Storage", "url": "${oc.env:LIGHTNING_HPO_STORAGE}"},
    ],
)
def test_a_url_that_is_no_longer_in_the_environment_is_asked_for(tmp_path, monkeypatch, storage):
    monkeypatch.delenv("LIGHTNING_HPO_STORAGE", raising=False)
    folder_of_a_trial(tmp_path, storage)
    with pytest.raises(UserError, match="export LIGHTNING_HPO_STORAGE='postgresql://"):
        recorded_trials(tmp_path)


def test_a_study_that_its_storage_does_not_have_is_one_line(tmp_path):
    trial_dir = folder_of_a_trial(tmp_path, f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(UserError, match="must hold the study 's', but does not"):
        trials_beside(trial_dir, tmp_path)
    open_storage(f"sqlite:///{tmp_path}/other.db", tmp_path)._backend.engine.dispose()


# Rule: trials of two studies would count from 0 both, in the same folders.
def test_a_folder_holds_the_trials_of_one_study(tmp_path):
    check_holds_no_other(tmp_path, "s")
    (tmp_path / "a 50% #1").mkdir()
    study_dir = tmp_path / "a 50% #1"
    storage = create_storage(None, study_dir)
    optuna.create_study(study_name="s", storage=storage)
    storage._backend.engine.dispose()
    check_holds_no_other(study_dir, "s")
    with pytest.raises(UserError, match=r"holds 's', got the name 't'; go on with that one"):
        check_holds_no_other(study_dir, "t")


def test_a_folder_of_a_study_on_a_server_holds_one_study_too(tmp_path):
    folder_of_a_trial(tmp_path, "${oc.env:LIGHTNING_HPO_STORAGE}")
    check_holds_no_other(tmp_path, "s")
    with pytest.raises(UserError, match="holds 's', got the name 't'"):
        check_holds_no_other(tmp_path, "t")


def test_a_damaged_folder_is_for_others_to_refuse(tmp_path):
    (tmp_path / "study.db").write_bytes(b"noise" * 1000)
    folder_of_a_trial(tmp_path, None).joinpath("config.yaml").write_text("study: {name: ")
    check_holds_no_other(tmp_path, "s")


@pytest.mark.parametrize("content", [b"\xcd\xff\x00noise", b"- a list", b"study: [", b""])
def test_a_damaged_configuration_does_not_hide_whose_trials_lie_there(tmp_path, content):
    for number, written in enumerate((content, b"study: {name: other}")):
        folder = tmp_path / "trials" / str(number)
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_bytes(written)
    with pytest.raises(UserError, match="holds 'other', got the name 'mine'"):
        check_holds_no_other(tmp_path, "mine")
