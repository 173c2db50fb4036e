"""Several networks as one: what makes them anew, and what the whole gives and exports."""

import pytest
import torch
from quiet import quiet_trainer
from torch import Tensor, nn

from lightning_hpo.flavour import pl
from lightning_hpo.models.ensemble import Ensemble


class Scaled(pl.LightningModule):
    """Anybody's: it notes down more than its arguments."""

    def __init__(self, by: float, offset: float = 0.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.save_hyperparameters({"found": "later"})
        self.weight = nn.Parameter(torch.tensor(by))
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.offset


def test_anybodys_modules_as_one() -> None:
    first, second = Scaled(1.0), Scaled(2.0, offset=1.0)
    second.weight.data.fill_(4.0)  # as training would
    both = Ensemble.of([first, second])
    assert not both.training
    # (1 x + 4 x + 1) / 2
    assert both(torch.tensor([0.0, 2.0])).tolist() == [0.5, 5.5]
    assert both.members[1] is not second
    assert both.predict_step((torch.tensor([2.0]), torch.tensor([7.0])), 0).tolist() == [5.5]


def test_it_predicts_in_a_trainer() -> None:
    both = Ensemble.of([Scaled(1.0), Scaled(3.0)])
    loader = torch.utils.data.DataLoader(torch.ones(2, 1))
    found = quiet_trainer().predict(both, loader)
    assert found is not None
    assert [float(batch) for batch in found] == [2.0, 2.0]


def test_it_exports() -> None:
    both = Ensemble.of([Scaled(1.0), Scaled(3.0)])
    exported = torch.export.export(both, (torch.ones(2),))
    assert exported.module()(torch.tensor([1.0, 2.0])).tolist() == [2.0, 4.0]


class Silent(Scaled):
    """Its hyperparameters do not say what it was made by."""

    def __init__(self, by: float) -> None:
        pl.LightningModule.__init__(self)
        self.weight, self.offset = nn.Parameter(torch.tensor(by)), 0.0


def test_one_that_its_hyperparameters_do_not_make_is_refused() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'by'"):
        Ensemble.of([Silent(1.0)])
