"""A user's own data module in folds: what trains, what validates, and as if it were one of ours."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from foreign_data import (
    N_TRAIN,
    TOUCHED,
    Foreign,
    N,
    Rows,
    X,
    Y,
    flagged,
    one_dataset,
    touch,
    transformed_parts,
    two_copies,
    two_datasets,
    two_files,
)
from quiet import quiet_trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.data.resplit import Resplit, parts_of
from lightning_hpo.data.told import fold_indices
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl

WAYS = [one_dataset, two_datasets, two_copies, two_files, transformed_parts]


def resplit(make: Any, split: Split, **options: Any) -> tuple[Foreign, Resplit]:
    data = Foreign(make)
    parts = Resplit(data, split, **options)
    data.setup("fit")
    return data, parts


def loaded(loader: Any) -> list[float]:
    return [float(x) for batch, _ in loader for x in batch]


def folds(make: Any, n: int = 4) -> list[tuple[list[float], list[float]]]:
    """What each fold trains and validates on, as its loaders show it."""
    found = []
    for fold in range(n):
        data, _ = resplit(make, Split("kfold", n_splits=n, fold=fold))
        found.append((loaded(data.train_dataloader()), loaded(data.val_dataloader())))
    return found


# Rule: no sample trains and validates in one fold, and each validates once.
@pytest.mark.parametrize("make", WAYS)
def test_no_fold_trains_on_what_it_validates(make: Any) -> None:
    validated = []
    for train, val in folds(make):
        assert not {value % TOUCHED for value in train} & set(val)
        assert sorted(value % TOUCHED for value in [*train, *val]) == X.tolist()
        validated += val
    assert sorted(validated) == X.tolist()


# Rule: an augmentation touches every sample that trains, and none that validates.
@pytest.mark.parametrize("make", [two_copies, two_files, transformed_parts])
def test_no_sample_is_validated_as_training_sees_it(make: Any) -> None:
    for train, val in folds(make):
        assert min(train) >= TOUCHED
        assert max(val) < TOUCHED


def test_the_refit_trains_on_all_samples_and_validates_on_none() -> None:
    data, parts = resplit(two_files, Split("none"))
    assert sorted(loaded(data.train_dataloader())) == (X + TOUCHED).tolist()
    assert data.val_dataloader() == [] and len(parts.val_indices) == 0


# Rule: who goes where does not hang on how the user split one dataset.
def test_parts_of_one_dataset_are_split_as_the_whole() -> None:
    def halves() -> tuple[Any, Any]:
        whole = TensorDataset(X, Y)
        return Subset(whole, range(0, N, 2)), Subset(whole, range(1, N, 2))

    assert [val for _, val in folds(halves)] == [val for _, val in folds(one_dataset)]


def test_folds_are_stratified_by_the_datasets_labels() -> None:
    data, _ = resplit(one_dataset, Split("kfold", n_splits=4))
    labels = torch.cat([y for _, y in data.val_dataloader()])
    assert labels.bincount().tolist() == [5, 5, 5]


def test_groups_and_labels_may_be_named() -> None:
    class Grouped(Foreign):
        subject = np.arange(N) // 6
        kind = (np.arange(N) % 4 > 0).tolist()

    data = Grouped(one_dataset)
    Resplit(data, Split("kfold", groups="subject", labels="kind"))
    data.setup("fit")
    train, val = (
        {int(value) // 6 for value in loaded(loader)}
        for loader in (data.train_dataloader(), data.val_dataloader())
    )
    assert not train & val and len(val) == 2


def test_in_the_order_of_time_the_past_trains() -> None:
    for make in (one_dataset, two_files, transformed_parts):
        data, _ = resplit(make, Split("kfold", n_splits=3, fold=1, order="time"))
        train = [value % TOUCHED for value in loaded(data.train_dataloader())]
        assert sorted(train) == list(range(30))
        assert loaded(data.val_dataloader()) == list(range(30, 45))


# Rule: the module stays what it is; its other hooks, its loaders' settings and its class too.
def test_the_module_is_still_the_users_own() -> None:
    class Own(Foreign):
        classes = ("a", "b", "c")

        def test_dataloader(self) -> Any:
            return DataLoader(self.val_set, batch_size=3)

    data = Own(two_files, batch_size=5)
    data.train_indices = "mine"  # type: ignore[attr-defined]
    parts = Resplit(data, Split("kfold"))
    data.setup("fit")
    assert type(data) is Own and data.classes == ("a", "b", "c")
    assert data.train_indices == "mine"  # type: ignore[attr-defined]
    assert len(data.test_dataloader()) == 4
    assert data.train_dataloader().batch_size == 5
    assert parts_of(data) is parts and parts_of(Own(two_files)) is None
    told = fold_indices(data)
    assert told is not None and sorted(np.concatenate(told)) == list(range(N))


# Rule: a rank of its own process gets the same samples.
def test_it_can_be_pickled() -> None:
    data, _ = resplit(two_copies, Split("kfold"))
    again = pickle.loads(pickle.dumps(data))
    again.setup("fit")
    assert loaded(again.val_dataloader()) == loaded(data.val_dataloader())


# Rule: looking at the data draws nothing from the fit's random numbers.
def test_the_random_state_of_the_fit_is_left_alone() -> None:
    class Draws(Rows):
        def __getitem__(self, i: int) -> Any:
            return super().__getitem__(i)[0] + torch.rand(1), int(self.y[i])

    def draw() -> tuple[Any, Any]:
        return Draws(X[:30], Y[:30]), Draws(X[30:], Y[30:])

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    resplit(draw, Split("kfold"))
    assert torch.equal(torch.rand(1), expected)


def test_what_cannot_be_split_says_which_ways_lead_on() -> None:
    with pytest.raises(UserError) as refused:
        resplit(flagged, Split("kfold"))
    said = str(refused.value)
    assert said.startswith("the samples of Foreign cannot be split into folds: two Rows differ")
    for way in ("'split'", "datasets(view)", "cv.eval_dataset", "cv=holdout cv.final=false"):
        assert way in said
    assert "\n" not in said


def test_a_sample_that_one_view_cannot_show_is_told_before_a_fit() -> None:
    def broken() -> tuple[Any, Any]:
        return Rows(X[:9], Y[:9], touch), Rows(X[9:], Y[9:], lambda value: value[0])

    with pytest.raises(UserError, match=r"sample 0 cannot be seen as in validation \(Index"):
        resplit(broken, Split("kfold", n_splits=2, stratified=False))


class Ours(TensorDataModule):
    """The same data as tensors, in the order of the file and as they are."""

    def load(self) -> Arrays:
        x, y = X[:, None].numpy() / N, Y.numpy()
        return Arrays(x, y, x[:3], y[:3])

    def train_dataloader(self) -> Any:
        return self._loader(*self._train, self.train_indices, batch_size=self.batch_size)

    def normalised(self, x: Tensor) -> Tensor:
        return x


def rows_of_numbers() -> tuple[Any, Any]:
    x = X[:, None] / N
    return TensorDataset(x[:N_TRAIN], Y[:N_TRAIN]), TensorDataset(x[N_TRAIN:], Y[N_TRAIN:])


class InOrder(Foreign):
    def train_dataloader(self) -> Any:
        return DataLoader(self.train_set, batch_size=8)


class Net(pl.LightningModule):
    """Keeps every loss of its training and its validation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 3))
        self.losses: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.losses.append(loss.detach().item())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.training_step(batch, batch_idx)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


# Rule: the same samples as resident tensors and through a user's loaders are the same folds, and
# with their order fixed the same losses.
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("fold", [0, 3])
def test_a_wrapped_module_trains_as_one_of_ours(fold: int) -> None:
    split = Split("kfold", n_splits=4, fold=fold, seed=11)
    ours = Ours(split=split, batch_size=8, eval_batch_size=8)
    theirs = InOrder(rows_of_numbers, batch_size=8)
    Resplit(theirs, split)
    losses = []
    for data in (ours, theirs):
        module = Net()
        trainer = quiet_trainer(max_epochs=3, num_sanity_val_steps=0)
        trainer.fit(module, datamodule=data)
        losses.append(module.losses)
    told = fold_indices(ours), fold_indices(theirs)
    for mine, wrapped in zip(*told, strict=True):
        assert mine.tolist() == wrapped.tolist()
    assert len(losses[0]) == 3 * (6 + 2)
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
