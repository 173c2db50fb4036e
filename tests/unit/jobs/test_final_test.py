"""Whether a network can be tested, and the names of what its test finds."""

from pathlib import Path
from typing import Any

import pytest
import torch
from quiet import quiet_trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.final_test import OfTest, merged, run_test
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.protocol.samples import read_samples


class Untested(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)


class Scored(Untested):
    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.log("my_score", self.layer(batch).sum() * 0 + dataloader_idx + 0.5)


class NoTestData(pl.LightningDataModule):
    pass


class EmptyTestData(pl.LightningDataModule):
    def test_dataloader(self):
        return []


class ForgottenTestData(pl.LightningDataModule):
    def test_dataloader(self):
        pass


class TwoTestSets(pl.LightningDataModule):
    def test_dataloader(self):
        return [torch.utils.data.DataLoader(torch.zeros(2, 1)) for _ in range(2)]


@pytest.mark.parametrize(
    ("module", "data", "reason"),
    [
        (Untested(), TwoTestSets(), "Untested has no test_step"),
        (Scored(), NoTestData(), "NoTestData has no test_dataloader"),
        (Scored(), EmptyTestData(), "EmptyTestData gives no test data"),
        (Scored(), ForgottenTestData(), "ForgottenTestData gives no test data"),
    ],
)
def test_without_a_test_there_is_a_reason(tmp_path: Path, module, data, reason) -> None:
    found = run_test(quiet_trainer(), module, data, tmp_path / "samples.npz")
    assert found == OfTest({}, reason)


def test_the_metrics_of_two_test_sets_are_kept_by_their_names(tmp_path: Path) -> None:
    found = run_test(quiet_trainer(), Scored(), TwoTestSets(), tmp_path / "samples.npz")
    of_each = {"my_score/dataloader_idx_0": 0.5, "my_score/dataloader_idx_1": 1.5}
    assert found == OfTest(of_each, None, "there are 2 loaders")


def test_a_name_that_two_loaders_share_is_told_apart() -> None:
    both = merged([{"test/loss": 1.0, "clean": 2.0}, {"test/loss": 3.0}])
    assert both == {
        "test/loss/dataloader_idx_0": 1.0,
        "clean": 2.0,
        "test/loss/dataloader_idx_1": 3.0,
    }


# ---------------------------------------------------------------- the samples

X = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])


class Double(pl.LightningModule):
    """Its logits are twice its inputs; ``way``: how its test asks for them."""

    def __init__(self, way: str = "self") -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor) -> Any:
        logits = 2 * x
        return {"softmax": logits.softmax(1), "dict": {"logits": logits}}.get(self.way, logits)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self.forward(x) if self.way == "forward" else self(x)
        if self.way == "twice":
            self(x.flip(-1))
        loss = nn.functional.cross_entropy(2 * x, y)
        self.log("other" if self.way == "metric" else "test/loss", loss, batch_size=len(x))
        if self.way == "fails":
            raise RuntimeError("a mistake of the module's own")
        if isinstance(logits, Tensor):
            logits.zero_()


class Three(pl.LightningDataModule):
    def __init__(self, y: Tensor, *, shuffle: bool = False) -> None:
        super().__init__()
        self.y, self.shuffle = y, shuffle

    def test_dataloader(self) -> Any:
        data = TensorDataset(X, self.y)
        return DataLoader(data, batch_size=2, shuffle=self.shuffle)


CLASSES = torch.tensor([0, 1, 1])


# By hand: cross-entropies of logits (2, 0), (0, 4), (6, 2) are log(1 + e^-2), log(1 + e^-4) and
# 4 + log(1 + e^-4). What the module makes of its logits afterwards does not count.
def test_what_anybodys_network_gave_on_each_test_sample(tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    module = Double()
    assert run_test(quiet_trainer(), module, Three(CLASSES), file).no_samples is None
    found = read_samples(file)
    assert found is not None
    assert found.index.tolist() == [0, 1, 2]
    assert found.output.tolist() == [[2, 0], [0, 4], [6, 2]]
    assert found.target.tolist() == [0, 1, 1]
    assert found.loss.tolist() == pytest.approx([0.126928, 0.0181499, 4.0181499], rel=1e-5)
    assert (found.kind, found.metric, found.epoch) == ("cross_entropy", "test/loss", None)
    assert (found.output.dtype, found.loss.dtype, found.target.dtype) == (
        "float32",
        "float32",
        "int64",
    )
    assert not module._forward_hooks


def test_a_loss_that_is_not_logged_has_no_name(tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    run_test(quiet_trainer(), Double("metric"), Three(CLASSES), file)
    found = read_samples(file)
    assert found is not None
    assert found.metric is None


# Rule: where it is not clear what the network gave on which sample, there is no file but a reason.
@pytest.mark.filterwarnings("ignore:.*shuffl:UserWarning")
@pytest.mark.parametrize(
    ("way", "data", "reason"),
    [
        ("forward", Three(CLASSES), "forward was called 0 times for a batch, not once"),
        ("twice", Three(CLASSES), "forward was called 2 times for a batch, not once"),
        ("softmax", Three(CLASSES), "forward gives probabilities, not logits"),
        ("dict", Three(CLASSES), "forward returns dict, not one tensor"),
        ("self", Three(CLASSES, shuffle=True), "in which order the DataLoader reads"),
    ],
)
def test_why_there_are_no_samples(tmp_path: Path, way: str, data: Three, reason: str) -> None:
    file, module = tmp_path / "samples.npz", Double(way)
    file.write_text("of an earlier try")
    found = run_test(quiet_trainer(), module, data, file)
    assert found.test
    assert found.no_samples is not None
    assert reason in found.no_samples
    assert not file.exists()
    assert not module._forward_hooks


def test_the_hooks_are_gone_after_an_exception(tmp_path: Path) -> None:
    module, trainer = Double("fails"), quiet_trainer()
    with pytest.raises(RuntimeError, match="of the module's own"):
        run_test(trainer, module, Three(CLASSES), tmp_path / "samples.npz")
    assert not module._forward_hooks
    assert not [c for c in trainer.callbacks if type(c).__name__ == "OutputsOfTest"]


# Rule: of our modules it is what they evaluate by, here the mean of an image and its mirror image.
def test_our_own_network_gives_what_it_evaluates_by(tmp_path: Path) -> None:
    data = DigitsDataModule(train_limit=100)
    data.setup("fit")
    module = FCClassifier(
        input_shape=data.input_shape, num_classes=10, neurons_1=8, neurons_2=8, test_time_flip=True
    )
    file = tmp_path / "samples.npz"
    tested = run_test(quiet_trainer(), module, data, file)
    found = read_samples(file)
    assert found is not None
    x, y = data.raw("test")
    with torch.no_grad():
        expected = module.eval().evaluated(data.normalised(x))
    torch.testing.assert_close(torch.from_numpy(found.output), expected)
    assert found.target.tolist() == y.tolist()
    assert (found.output.argmax(1) == found.target).mean() == pytest.approx(
        tested.test["test/accuracy"], abs=1e-6
    )
    assert found.metric == "test/loss"
    assert "evaluated" not in vars(module)
