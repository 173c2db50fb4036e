"""Whether a network can be tested, and the names of what its test finds."""

import pytest
import torch
from quiet import quiet_trainer
from torch import nn

from lightning_hpo.flavour import pl
from lightning_hpo.jobs.final_test import merged, run_test


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
def test_without_a_test_there_is_a_reason(module, data, reason) -> None:
    assert run_test(quiet_trainer(), module, data) == ({}, reason)


def test_the_metrics_of_two_test_sets_are_kept_by_their_names() -> None:
    found, reason = run_test(quiet_trainer(), Scored(), TwoTestSets())
    assert found == {"my_score/dataloader_idx_0": 0.5, "my_score/dataloader_idx_1": 1.5}
    assert reason is None


def test_a_name_that_two_loaders_share_is_told_apart() -> None:
    both = merged([{"test/loss": 1.0, "clean": 2.0}, {"test/loss": 3.0}])
    assert both == {
        "test/loss/dataloader_idx_0": 1.0,
        "clean": 2.0,
        "test/loss/dataloader_idx_1": 3.0,
    }
