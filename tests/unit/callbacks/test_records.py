"""What a fit leaves: TensorBoard's HParams row, the layout of its charts, its samples."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hparams_rows import hparams_rows
from inspected_fits import events, fit

from lightning_hpo.callbacks.records import (
    CurvesLayout,
    HyperparameterSummary,
    curves_layout,
    log_searched,
    save_indices,
)
from lightning_hpo.callbacks.reporting import StageOfMetrics
from lightning_hpo.flavour import pl

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]


def test_the_hparams_row_keeps_types_and_tells_null(tmp_path):
    logger = pl.loggers.TensorBoardLogger(tmp_path, name="", version="")
    params = {"lr": 0.1, "width": 8, "flip": True, "init": "1e3", "depth": None}
    log_searched(logger, params, 0.5, "pruned")
    logger.finalize("success")
    (row,) = hparams_rows(tmp_path)
    assert row == {**params, "depth": "null", "state": "pruned", "status": "STATUS_SUCCESS"}


def test_a_trial_without_a_value_has_a_row_that_failed(tmp_path):
    logger = pl.loggers.TensorBoardLogger(tmp_path, name="", version="")
    log_searched(logger, {"lr": 0.1}, None, "failed")
    logger.finalize("failed")
    assert hparams_rows(tmp_path) == [{"lr": 0.1, "state": "failed", "status": "STATUS_FAILURE"}]
    assert "objective" not in events(tmp_path).Tags()["scalars"]


# Rule: under a schedule the objective is the last value, as in the study.
@pytest.mark.parametrize(("at_end", "value"), [(False, 0.25), (True, 0.5)])
def test_a_tracker_is_told_the_value_that_counts(at_end, value):
    told = []
    tracker = SimpleNamespace(log_metrics=lambda metrics, step: told.append((metrics, step)))
    trainer = SimpleNamespace(loggers=[tracker], is_global_zero=True, global_step=3)
    best = SimpleNamespace(value=0.25, monitor="val/loss", last={"val/loss": 0.5})
    HyperparameterSummary({"lr": 1}, best, at_end=at_end).on_fit_end(trainer, None)
    assert told == [({"objective": value}, 3)]


def test_the_custom_scalars_have_training_and_validation_in_one_chart(tmp_path: Path) -> None:
    from tensorboard.plugins.custom_scalar import layout_pb2

    logged = StageOfMetrics()
    fit(tmp_path, logged, CurvesLayout(logged), epochs=1)
    (tensor,) = events(tmp_path).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0])
    (category,) = layout.category
    charts = {chart.title: list(chart.multiline.tag) for chart in category.chart}
    assert charts == {
        "accuracy": ["train/accuracy", "val/accuracy"],
        "loss": ["train/loss", "val/loss"],
    }
    assert curves_layout({"train/loss": "train", "val/f1": "val", "lr": "train"}) == {}
    # Whatever they are called; the tag is the one that the logger writes.
    stages = {"MyLoss": "train", "MyLoss_epoch": "train", "my_loss_val": "val", "loss_val": "val"}
    assert curves_layout({**stages, "train_my_loss": "train"}) == {
        "learning curves": {"my_loss": ["Multiline", ["train_my_loss", "my_loss_val"]]}
    }


# Rule: data that split themselves need not tell how; then there is no file, and no fit fails.
def test_indices_are_saved_where_they_are_told(tmp_path):
    class Splits:
        train_indices, val_indices = torch.tensor([0, 2]), torch.tensor([1])

    save_indices(tmp_path / "told.npz", Splits())
    with np.load(tmp_path / "told.npz") as stored:
        assert (stored["train"].tolist(), stored["val"].tolist()) == ([0, 2], [1])
    save_indices(tmp_path / "untold.npz", object())
    assert not (tmp_path / "untold.npz").exists()
