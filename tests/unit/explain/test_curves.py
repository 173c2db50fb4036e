"""The learning curves that a fit's files give."""

import json
from pathlib import Path

from lightning_hpo.explain import curves
from lightning_hpo.protocol.folder import JobFolder


# Rule: a curve stands in the panel of its quantity and in the colour of its stage, by the stages
# that the fit recorded.
def test_curves_of_any_name_share_the_panel_of_their_quantity(tmp_path: Path) -> None:
    stages = {"MyLoss": "train", "loss_val": "val", "train_loss_epoch": "train", "lr": "train"}
    (tmp_path / "result.json").write_text(json.dumps({"best_epoch": 0, "stages": stages}))
    header = "epoch,step,train_loss_step,train_loss_epoch,loss_val,MyLoss,test_acc"
    (tmp_path / "metrics.csv").write_text(f"{header}\n0,1,9,1,2,3,4\n1,2,9,5,6,7,8\n")
    assert curves._curves(JobFolder(tmp_path)) == {
        "train/MyLoss": [3, 7],
        "train/loss": [1, 5],
        "val/loss": [2, 6],
    }


# Rule: a test has no curve, also where the fit logged nothing else.
def test_a_test_has_no_curve(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps({"stages": {}}))
    (tmp_path / "metrics.csv").write_text("epoch,step,test/loss\n2,8,0.5\n")
    assert curves._curves(JobFolder(tmp_path)) == {}
