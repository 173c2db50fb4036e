"""What a fold's monitor is of each sample: of which epoch, and whether it is known at all."""

from pathlib import Path

import pytest
from inspected_fits import digits, fit

from lightning_hpo.callbacks.reporting import BestEpoch
from lightning_hpo.callbacks.trial_values import ValuesOfMonitor
from lightning_hpo.data.folds import Split
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.protocol.trial_values import read_trial_values

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")


@pytest.mark.parametrize(
    ("monitor", "mode", "quantity"), [("val/loss", "min", "loss"), ("val/accuracy", "max", "right")]
)
def test_of_the_best_epoch_and_of_the_last(
    tmp_path: Path, monitor: str, mode: str, quantity: str
) -> None:
    data = digits(split=Split("kfold", 4, 1))
    best = BestEpoch(monitor=monitor, mode=mode)
    kept = ValuesOfMonitor(monitor=monitor, mode=mode)
    fit(tmp_path, best, kept, data=data, epochs=4)
    assert best.value is not None
    for value in (best.value, best.last[monitor]):
        kept.write(tmp_path / "losses.npz", value)
        found = read_trial_values(tmp_path / "losses.npz")
        assert found is not None
        assert (found.quantity, found.index.tolist()) == (quantity, data.val_indices.tolist())
        assert found.values.mean() == pytest.approx(value, rel=1e-4)
    # Of a value that no epoch had, nothing is left.
    kept.write(tmp_path / "losses.npz", 99.0)
    assert not (tmp_path / "losses.npz").exists()


class Weighs(CNNClassifier):
    """Logs another loss than the cross-entropy of its outputs."""

    def loss(self, outputs, y):
        return 2 * super().loss(outputs, y)


def test_a_monitor_that_is_no_mean_of_its_samples_leaves_nothing(tmp_path: Path) -> None:
    module = Weighs(input_shape=(1, 8, 8), filters_1=2, filters_2=3, neurons_1=4, neurons_2=4)
    kept = ValuesOfMonitor(monitor="val/loss", mode="min")
    best = BestEpoch(monitor="val/loss", mode="min")
    fit(tmp_path, best, kept, module=module, data=digits(split=Split("kfold", 4, 1)))
    assert kept.reason == "val/loss is no mean of what can be read off outputs"
    assert best.value is not None
    kept.write(tmp_path / "losses.npz", best.value)
    assert not (tmp_path / "losses.npz").exists()
