"""A fit of the final job tells how far it has come in a file of its folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from quiet import quiet_trainer

from lightning_hpo.callbacks.progress import EpochProgress, ProgressFile
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.flavour import pl
from lightning_hpo.models.fc import FCClassifier


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "progress.json").read_text())
    return found


# Rule: the number of finished epochs, with the monitor's value in the latest of them, or without a
# validation that of the training metric which measures the same.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
@pytest.mark.parametrize(
    ("monitor", "metric", "val_batches"),
    [("val/accuracy", "val/accuracy", 1.0), ("val/loss", "train/loss", 0)],
)
def test_each_epoch_is_told_with_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str, metric: str, val_batches: float
) -> None:
    monkeypatch.setattr("lightning_hpo.callbacks.progress._EVERY_S", 0.0)
    seen: list[dict[str, Any]] = []
    logged: list[float] = []

    class Watch(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            seen.append(told(tmp_path))
            if metric in trainer.callback_metrics:
                logged.append(float(trainer.callback_metrics[metric]))

    trainer = quiet_trainer(
        max_epochs=3,
        callbacks=[EpochProgress(tmp_path, monitor=monitor), Watch()],
        limit_val_batches=val_batches,
        num_sanity_val_steps=0,
    )
    trainer.fit(FCClassifier(input_shape=(1, 8, 8)), datamodule=DigitsDataModule(train_limit=100))
    seen.append(told(tmp_path))
    logged.append(float(trainer.callback_metrics[metric]))
    assert [(one["epochs"], one["total"], one["metric"]) for one in seen] == [
        (epoch, 3, metric if epoch else monitor) for epoch in range(4)
    ]
    assert [one["value"] for one in seen] == [None, *logged]


# Rule: not more often than it is looked at, but the end is always told; a NaN is no value.
def test_what_is_told_too_soon_is_not_written(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path, epochs=3, metric="m")
    file.report(0, 0.5)
    file.report(1, 0.25)
    assert told(tmp_path) == {"epochs": 1, "total": 3, "metric": "m", "value": 0.5}
    file.report(2, float("nan"))
    assert told(tmp_path) == {"epochs": 3, "total": 3, "metric": "m", "value": None}
