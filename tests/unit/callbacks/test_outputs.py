"""What a network gives in the validations of its fit, by epoch, and the hooks that hear it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from inspected_fits import cnn, digits, fit

from lightning_hpo.callbacks.outputs import OutputsOfValidations
from lightning_hpo.data.folds import Split
from lightning_hpo.flavour import pl

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")


# Rule: the last epoch's outputs are those of the network that the fit ends with, its samples those
# that validate.
def test_the_outputs_of_every_epoch(tmp_path: Path) -> None:
    data = digits(split=Split("kfold", 4, 1))
    watch = OutputsOfValidations(tmp_path / "outputs.npz", only_last=False)
    module = fit(tmp_path, watch, data=data, epochs=3)
    found = np.load(tmp_path / "outputs.npz")
    assert watch.reason is None
    assert found["epoch"].tolist() == [0, 1, 2]
    assert found["index"].tolist() == data.val_indices.tolist()
    x, y = data.raw("val")
    assert found["target"].tolist() == y.tolist()
    with torch.no_grad():
        expected = module.eval().evaluated(data.normalised(x))
    torch.testing.assert_close(torch.from_numpy(found["output"][2]), expected)
    assert abs(found["output"][0] - found["output"][2]).max() > 1e-3
    assert not module._forward_hooks
    assert "evaluated" not in vars(module)


def test_of_the_last_epoch_alone(tmp_path: Path) -> None:
    fit(tmp_path, OutputsOfValidations(tmp_path / "outputs.npz", only_last=True), epochs=3)
    assert np.load(tmp_path / "outputs.npz")["epoch"].tolist() == [2]


def test_the_hooks_are_gone_when_a_validation_fails(tmp_path: Path) -> None:
    class Fails(pl.Callback):
        def on_validation_batch_end(self, trainer, *_) -> None:
            if not trainer.sanity_checking:
                raise RuntimeError("in the middle")

    module = cnn()
    watch = OutputsOfValidations(tmp_path / "outputs.npz", only_last=False)
    with pytest.raises(RuntimeError, match="in the middle"):
        fit(tmp_path, watch, Fails(), module=module)
    assert not module._forward_hooks
    assert "evaluated" not in vars(module)
    assert not watch.path.exists()


def test_without_a_validation_there_is_a_reason(tmp_path: Path) -> None:
    watch = OutputsOfValidations(tmp_path / "outputs.npz", only_last=False)
    fit(tmp_path, watch, limit_val_batches=0)
    assert watch.reason == "no validation ran"
    assert not watch.path.exists()
