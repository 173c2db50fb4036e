"""What a study is called, where it lies, and what its jobs are told of that."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.sweep.identity import Identity, check_searchable, settle


@pytest.fixture(scope="module")
def conf(tmp_path_factory) -> Path:
    """Our own primary configuration without data, models and the like, to be composed quickly."""
    folder = tmp_path_factory.mktemp("conf")
    ours = yaml.safe_load((config_dir() / "config.yaml").read_text())
    ours["defaults"] = [{"study": "default"}, {"override hydra/sweeper": "lightning_hpo"}, "_self_"]
    ours["hydra"]["searchpath"] = [f"file://{config_dir()}"]
    (folder / "config.yaml").write_text(yaml.safe_dump(ours))
    return folder


@pytest.fixture(autouse=True)
def _hydra(conf, tmp_path, monkeypatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(conf)):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", overrides=list(overrides), return_hydra_config=True)


def settled(*overrides: str) -> tuple[Identity, DictConfig]:
    config = composed(*overrides)
    return settle(config), config


def of_job(identity: Identity, *overrides: str) -> DictConfig:
    """The configuration of a job that was typed and told these."""
    return composed(*overrides, *identity.told, "study.trial_number=7")


def test_a_job_is_told_name_and_absolute_folder(tmp_path):
    identity, config = settled("study.name=s")
    assert (identity.name, identity.storage) == ("s", None)
    # People see what was typed.
    assert config.hydra.sweep.dir == "studies/s"
    told = of_job(identity).study
    assert (told.name, told.dir, told.storage) == ("s", f"{tmp_path}/studies/s", None)


@pytest.mark.parametrize("typed", ["true", "007", "1e3", "no", "12", "3.10", "'true'", "a b"])
def test_a_name_stays_the_text_that_was_typed(typed, tmp_path):
    name = typed.strip("'")
    identity, config = settled(f"study.name={typed}")
    assert identity.name == name
    assert config.hydra.sweep.dir == f"studies/{name}"
    assert of_job(identity, f"study.name={typed}").study.name == name


def test_a_name_of_a_file_that_yaml_reads_as_a_boolean():
    config = composed()
    config.study.name = True
    assert settle(config).name == "true"


@pytest.mark.parametrize("odd", ["it's", "a\\b\\", "100%", "#1?", "a=b,c", "{x}", "ü né", "\\${x}"])
def test_a_folder_may_have_any_characters(odd):
    config = composed()
    config.study.dir = odd.replace("\\$", "\\\\\\$") if "$" in odd else odd
    folder = str(config.study.dir)
    identity = settle(config)
    assert of_job(identity).study.dir == str(Path(folder).absolute())


@pytest.mark.parametrize("words", [["study.name=null"], ["study.name="], ["study.name=a/b"]])
def test_a_name_that_names_no_folder_is_refused(words):
    with pytest.raises(UserError, match=r"study\.name must be the name of one folder"):
        settled(*words)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(
        UserError, match=r"study\.name must be a text, got study\.name=\['a', 'b'\]"
    ):
        settled("study.name=[a,b]")


# Rule: the keys of the stock plugin and of Hydra go before ours, in the jobs too.
def test_names_and_places_by_the_keys_of_the_stock_plugin(tmp_path):
    words = (
        "study.name=s",
        "hydra.sweeper.study_name=mine",
        "hydra.sweeper.storage=sqlite:///mine.db",
        "hydra.sweep.dir=odd/place",
    )
    identity, config = settled(*words)
    assert (identity.name, identity.storage) == ("mine", f"sqlite:///{tmp_path}/mine.db")
    assert config.hydra.sweep.dir == "odd/place"
    job = of_job(identity, *words)
    assert job.study.name == "mine"
    assert job.study.storage == f"sqlite:///{tmp_path}/mine.db"
    assert job.study.dir == job.hydra.sweep.dir == f"{tmp_path}/odd/place"


def test_without_a_name_for_the_sweeper_the_study_has_its_own():
    assert settled("study.name=s", "hydra.sweeper.study_name=null")[0].name == "s"


def test_a_storage_may_be_taken_away_by_the_sweepers_key():
    words = ("study.storage=sqlite:///a.db", "hydra.sweeper.storage=null")
    identity, _ = settled(*words)
    assert identity.storage is None
    assert of_job(identity, *words).study.storage is None


# Rule: a hidden password is told as its reference, never as its value.
@pytest.mark.parametrize("key", ["study.storage", "hydra.sweeper.storage"])
def test_a_password_is_not_told(key, monkeypatch):
    url = "postgresql://me:5ecret@host/db"
    monkeypatch.setenv("LIGHTNING_HPO_STORAGE", url)
    words = (f"{key}='${{oc.env:LIGHTNING_HPO_STORAGE}}'",)
    identity, _ = settled(*words)
    assert "5ecret" not in str(identity.told)
    assert identity.storage == url == of_job(identity, *words).study.storage


@pytest.mark.parametrize("key", ["study.storage", "hydra.sweeper.storage"])
def test_a_storage_with_a_target_keeps_its_file(key, tmp_path):
    words = (f"{key}={{_target_: my.Storage, log: {{file_path: a.log}}, n: 3, also: null}}",)
    identity, _ = settled(*words)
    log = {"file_path": f"{tmp_path}/a.log"}
    expected = {"_target_": "my.Storage", "log": log, "n": 3, "also": None}
    assert OmegaConf.to_container(of_job(identity, *words).study.storage) == expected


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_storage_that_no_job_could_open_is_refused(url):
    with pytest.raises(UserError, match="its jobs can open too"):
        settled(f"study.storage={url}")


def test_two_folders_are_refused():
    with pytest.raises(UserError, match=r"got study\.dir=a and hydra\.sweep\.dir=b"):
        settled("study.dir=a", "hydra.sweep.dir=b")


@pytest.mark.parametrize("word", ["study.dir=null", "study.dir=", "hydra.sweep.dir=''"])
def test_no_folder_is_refused(word):
    with pytest.raises(UserError, match=r"study\.dir must be a folder"):
        settled(word)


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert of_job(settled("study.dir='~/s'")[0]).study.dir == "/home/me/s"


# Rule: a trial lies in trials/<number>, where rerun, retries and report look for it.
def test_a_trials_folder_goes_by_its_number():
    assert settled()[0].notes == ()
    words = ("hydra.sweep.subdir=${hydra.job.num}",)
    identity, _ = settled(*words)
    assert of_job(identity, *words).hydra.sweep.subdir == "trials/7"
    assert identity.notes == (
        "hydra.sweep.subdir has no effect here: a trial lies in trials/<its number>",
    )


def test_a_replayed_study_is_told_by_its_absolute_folder(tmp_path):
    identity, _ = settled("study.replay=studies/a")
    assert of_job(identity).study.replay == f"{tmp_path}/studies/a"


def test_what_is_told_is_no_part_of_a_jobs_own_name():
    identity, _ = settled("hydra.sweeper.storage=sqlite:///a.db", "study.replay=studies/a")
    job = of_job(identity, "seed=3", "mode=max")
    assert job.hydra.job.override_dirname == "mode=max,seed=3"


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("study.name", "study.name says what the study is and cannot be searched"),
        ("++study.n_trials", "study.n_trials says what the study is"),
        ("monitor", "monitor says what the study is"),
        ("mode", "mode says what the study is"),
        ("+experiment", r"type it as '\+experiment=a,b' on the command line"),
        ("+budget", r"type it as '\+budget=a,b'"),
    ],
)
def test_what_makes_a_study_cannot_be_searched(name, phrase):
    with pytest.raises(UserError, match=phrase):
        check_searchable([name])


def test_anything_else_can_be_searched():
    check_searchable(["model.study", "optimizer", "data.monitor", "seed", "+model.mode"])
