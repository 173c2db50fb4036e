"""What ``search`` writes: classes, values and ranges in their places, as one would by hand."""

from pathlib import Path

import pytest
import yaml

from lightning_hpo import UserError, choice, log_interval
from lightning_hpo.scripting.experiment import Experiment, direction_of, whole_keys


class Net:
    def __init__(self, lr: float = 0.1, width: int = 8, *, act: object = None) -> None: ...


class Data:
    def __init__(self, batch_size: int) -> None: ...


def written(experiment: Experiment, folder: Path) -> dict:
    with experiment.written(folder) as code:
        return yaml.safe_load((code / "experiment" / f"{experiment.name}.yaml").read_text())


def test_the_file_has_classes_values_and_ranges_in_their_places(tmp_path):
    space = {"lr": log_interval(1e-4, 0.1), "act": "a, b", "data.batch_size": choice(32, 64)}
    values = {"study.name": "mine", "monitor": "val/loss"} | whole_keys(Net, space)
    asked = Experiment("mine", {"data": Data, "model": Net}, values, {"pruner": "hyperband"})
    module = __name__
    assert written(asked, tmp_path / "s") == {
        "defaults": [
            {"override /data": None},
            {"override /model": None},
            {"override /pruner": "hyperband"},
        ],
        "data": {"_target_": f"{module}.Data", "batch_size": None},
        "model": {"_target_": f"{module}.Net", "lr": 0.1, "act": "a, b"},
        "study": {"name": "mine"},
        "monitor": "val/loss",
        "hydra": {
            "sweeper": {
                "params": {
                    "model.lr": "tag(log,interval(0.0001,0.1))",
                    "data.batch_size": "choice(32,64)",
                }
            }
        },
    }


def test_names_of_ours_are_options_and_the_file_says_its_command(tmp_path):
    asked = Experiment("mine", {"data": "digits", "model": "cnn"}, {"model.dropout": 0.5})
    found = written(asked, tmp_path / "a b")
    assert found["defaults"] == [{"override /data": "digits"}, {"override /model": "cnn"}]
    assert found["model"] == {"dropout": 0.5}
    text = (tmp_path / "a b" / "code" / "experiment" / "mine.yaml").read_text()
    command = f"python -m lightning_hpo --config-dir '{tmp_path}/a b/code' +experiment=mine"
    assert text.splitlines()[:2] == ["# @package _global_", f"# {command}"]


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("val/loss", "min"),
        ("val_acc", "max"),
        ("val/balanced_accuracy", "max"),
        ("auroc/val", "max"),
        ("val_heatmap", "min"),
    ],
)
def test_the_direction_follows_from_the_metrics_name(monitor, mode):
    assert direction_of(monitor) == mode


# Rule: a study that exists and refuses what is asked keeps the file that it was made by.
def test_what_is_refused_does_not_stay_written(tmp_path):
    first = written(Experiment("mine", {"data": "digits", "model": "cnn"}, {}), tmp_path)
    other = Experiment("mine", {"data": "digits", "model": "fc"}, {})
    with pytest.raises(UserError, match="no"), other.written(tmp_path) as code:
        assert "fc" in (code / "experiment" / "mine.yaml").read_text()
        raise UserError("no")
    assert yaml.safe_load((code / "experiment" / "mine.yaml").read_text()) == first
