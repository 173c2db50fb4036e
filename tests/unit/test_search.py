"""A search from Python: what is written and run, and mistakes before anything is."""

import pytest
import yaml

from lightning_hpo import UserError, api, interval, search
from lightning_hpo.machine import caller


class Net:
    def __init__(self, lr: float = 0.1, width: int = 8, *, act: object = None) -> None: ...


class Data:
    def __init__(self, batch_size: int) -> None: ...


def test_a_search_runs_the_experiment_that_it_has_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started = []

    def run_in_view(words, file):
        started.append(words)
        return 1

    monkeypatch.setattr(api, "run_in_view", run_in_view)
    with pytest.raises(UserError, match="ended with status 1"):
        search("cnn", "digits", {"dropout": interval(0, 0.5)}, overrides=["cv.final=false"])
    assert started == [
        ["--config-dir", "studies/cnn/code", "+experiment=cnn", "cv.final=false"],
    ]
    text = (tmp_path / "studies/cnn/code/experiment/cnn.yaml").read_text()
    assert "model.dropout: interval(0,0.5)" in text


def test_every_keyword_has_its_key(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "run_in_view", lambda words, file: 1)
    with pytest.raises(UserError):
        search(
            *("cnn", "digits", {}),
            monitor="val/accuracy",
            n_trials=3,
            max_epochs=4,
            folds=2,
            n_jobs=1,
            seed=7,
            name="mine",
            study_dir=tmp_path / "there",
            pruner="none",
            sampler="random",
        )
    text = (tmp_path / "there" / "code" / "experiment" / "mine.yaml").read_text()
    assert yaml.safe_load(text) == {
        "defaults": [
            {"override /data": "digits"},
            {"override /model": "cnn"},
            {"override /pruner": "none"},
            {"override /hydra/sweeper/sampler": "random"},
        ],
        "study": {"name": "mine", "dir": str(tmp_path / "there"), "n_trials": 3, "n_jobs": 1},
        "monitor": "val/accuracy",
        "mode": "max",
        "seed": 7,
        "trainer": {"max_epochs": 4},
        "cv": {"n_splits": 2},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Net, Data(3), {}), r"takes the class itself .* got an instance of Data; write search\("),
        ((None, Data, {}), "got None"),
        (
            (Net, Data, {"widht": 3}),
            r"argument of Net, which takes lr, width, act, got 'widht'\. Did",
        ),
        ((Net, Data, {"a b": 3}), "a key must be a name with dots"),
    ],
)
def test_a_mistake_in_a_search_is_one_line_before_anything_runs(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        search(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_slash_is_refused():
    with pytest.raises(UserError, match=r"name must be of letters, digits, _ and -, got 'a/b'"):
        search(Net, "digits", {}, name="a/b")


# Rule: a study's process that imports the script does not start a study of its own.
def test_nothing_is_started_within_a_study(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIGHTNING_HPO_WITHIN", "0")
    monkeypatch.setattr(caller, "environment", None)
    caller.enter()
    with pytest.raises(UserError, match=r"must not start the study again .*`if __name__ =="):
        search(Net, "digits", {})
