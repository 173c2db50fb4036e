"""A trial again, from its folder alone: the same values to the last bit, or why it cannot be."""

import math
from pathlib import Path

import optuna
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.provenance import recorded
from lightning_hpo.jobs import again
from lightning_hpo.jobs.again import Comparison, PlayedAgain
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.rerun import main
from lightning_hpo.storage.maker import leave_mark
from lightning_hpo.storage.study import create_storage

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]


@pytest.mark.parametrize(
    ("recorded", "repeated", "equal", "words"),
    [
        ([0.5, 0.25], [0.5, 0.25], True, "the same 2 values, the last 0.25"),
        (
            [0.5, 0.25],
            [0.5, 0.375],
            False,
            "recorded 2 values, repeated 2; the largest difference is 0.125",
        ),
        (
            [0.5, 0.25],
            [0.5],
            False,
            "recorded 2 values, repeated 1; the largest difference is 0",
        ),
        ([0.5], [], False, "recorded 1 values, repeated 0; the largest difference is nan"),
    ],
)
def test_values_are_the_same_to_the_last_bit_or_not(recorded, repeated, equal, words) -> None:
    comparison = Comparison(recorded, repeated)
    assert (comparison.equal, str(comparison)) == (equal, words)
    assert Comparison([1.0], [math.nextafter(1.0, 2.0)]).equal is False


# Rule: it stands in for the live trial, in any process, and ends where the record ends.
def test_what_is_played_again_ends_with_the_record(tmp_path: Path) -> None:
    played = PlayedAgain(tmp_path / "reported.jsonl", n_values=2)
    assert played.values() == {}
    assert not played.should_prune()
    played.report(0.5, 3)
    assert not played.should_prune()
    # Another process notes in the same file.
    PlayedAgain(tmp_path / "reported.jsonl", n_values=2).report(0.1, 4)
    assert played.should_prune()
    assert played.values() == {3: 0.5, 4: 0.1}


def test_a_step_that_is_told_again_counts_once(tmp_path: Path) -> None:
    played = PlayedAgain(tmp_path / "reported.jsonl", n_values=2)
    for value in (0.5, 0.25):
        played.report(value, 0)
    assert played.values() == {0: 0.25}
    assert not played.should_prune()


def composed(study_dir: Path, *overrides: str) -> DictConfig:
    told = [f"study.dir={study_dir}", "study.name=small", "study.trial_number=0"]
    told += ["data=curve", "model=mlp", "model.neurons.layer_1=4", "callbacks=none"]
    with initialize_config_dir(str(config_dir())):
        return compose("config", [*told, "trainer.max_epochs=3", *overrides])


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose trial 0 ran, and whose trial 1 failed before its first report."""
    study_dir = tmp_path_factory.mktemp("studies") / "small"
    study_dir.mkdir()
    study = optuna.create_study(
        study_name="small",
        storage=create_storage(None, study_dir),
        pruner=optuna.pruners.NopPruner(),
    )
    leave_mark(study_dir)
    cfg, live = composed(study_dir, "trainer.accelerator=cpu"), study.ask()
    folder = study_dir / "trials" / "0"
    folder.mkdir(parents=True)
    with recorded(cfg, folder):
        result = run_trial(cfg, JobContext(folder), live)
    study.tell(live, result.value)
    failed = study.ask()
    failed.set_user_attr("failure", "out of memory")
    study.tell(failed, state=optuna.trial.TrialState.FAIL)
    (study_dir / "trials" / "1").mkdir()
    OmegaConf.save(cfg, study_dir / "trials" / "1" / "config.yaml")
    return study_dir


# Rule: the study is not touched; the trial runs in a new folder below its own, once more each time.
def test_a_trial_again_gives_its_values_and_leaves_the_study_alone(
    study_dir: Path, two_threads: int
) -> None:
    database = (study_dir / "study.db").read_bytes()
    for tries in (1, 2):
        comparison = again.rerun(study_dir, 0)
        assert comparison.equal
        assert len(comparison.recorded) == 3
        assert (study_dir / "trials" / "0" / f"rerun_{tries}" / "metrics.csv").is_file()
    assert (study_dir / "study.db").read_bytes() == database
    assert torch.get_num_threads() == two_threads


def test_the_command_says_so_and_ends_with_0(
    study_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(study_dir), "0"]) == 0
    assert capsys.readouterr().out.startswith("trial 0 again: the same 3 values, the last ")


def test_a_trial_that_there_is_not_is_named_with_those_that_there_are(study_dir: Path) -> None:
    with pytest.raises(UserError, match=r"NUMBER must be a trial of .*got 7; there are \[0, 1\]"):
        again.rerun(study_dir, 7)


def test_a_trial_that_reported_nothing_says_why(study_dir: Path) -> None:
    with pytest.raises(UserError, match="must have reported a value to be compared; 1: out of mem"):
        again.rerun(study_dir, 1)


# Rule: a folder whose trial the database has lost is not played again as another one.
def test_a_folder_that_the_database_does_not_know_is_refused(study_dir: Path) -> None:
    (study_dir / "trials" / "2").mkdir()
    OmegaConf.save(composed(study_dir), study_dir / "trials" / "2" / "config.yaml")
    try:
        with pytest.raises(UserError, match="must hold trial 2, which has a folder, but it has 2"):
            again.rerun(study_dir, 2)
    finally:
        (study_dir / "trials" / "2" / "config.yaml").unlink()
        (study_dir / "trials" / "2").rmdir()


# Rule: threads decide the last bits, so a record without their number is no record.
@pytest.mark.parametrize("content", ["threads: 0\n", "threads: many\n"])
def test_a_trial_whose_threads_are_not_known_is_refused(study_dir: Path, content: str) -> None:
    provenance = study_dir / "trials" / "0" / "provenance.yaml"
    before = provenance.read_text()
    provenance.write_text(content)
    try:
        with pytest.raises(UserError, match="must hold the trial's number of threads, got threads"):
            again.rerun(study_dir, 0)
    finally:
        provenance.write_text(before)


def test_a_trial_of_another_application_is_left_to_it(tmp_path):
    (tmp_path / "results.json").write_text('{"application": "train.py"}')
    with pytest.raises(UserError, match=r"train\.py for .*words in 3/\.hydra/overrides\.yaml"):
        again._trials(tmp_path, 3, tmp_path / "trials" / "3")
