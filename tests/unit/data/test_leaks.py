"""A test of samples that the refit trains on is none, and is refused before the search."""

from typing import Any

import pytest
from foreign_data import Foreign, N, Rows, X, Y, one_dataset, touch, two_files
from torch.utils.data import DataLoader, Subset, TensorDataset

from lightning_hpo.data.folds import Split
from lightning_hpo.data.leaks import n_shared, require_test_apart
from lightning_hpo.data.resplit import Resplit
from lightning_hpo.errors import UserError

WHOLE = TensorDataset(X, Y)


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [
        (WHOLE, WHOLE, N),
        (Subset(WHOLE, [1, 2, 3]), Subset(WHOLE, [3, 4]), 1),
        (Subset(WHOLE, [1, 2]), Subset(WHOLE, [3, 4]), 0),
        # The same file, read twice, whatever it is seen through.
        (Rows(X, Y, touch), Rows(X.clone(), Y), N),
        (Rows(X, Y), Rows(X + 1, Y), 0),
        (Rows(X, Y), WHOLE, 0),
    ],
)
def test_samples_are_shared_where_the_dataset_is_one(a: Any, b: Any, n: int) -> None:
    assert n_shared(a, b) == n


class HasTest(Foreign):
    """Tests on what it validates on, or on ``others``."""

    others: Any = None

    def test_dataloader(self) -> Any:
        return self.val_dataloader() if self.others is None else [DataLoader(self.others)]


def parts(data: Any) -> Resplit:
    found = Resplit(data, Split("none"))
    data.setup("fit")
    return found


@pytest.mark.parametrize("make", [one_dataset, two_files])
def test_a_test_of_the_validation_part_is_refused(make: Any) -> None:
    with pytest.raises(UserError, match=r"at least 12 of its 12 test samples .* cv=holdout"):
        require_test_apart(parts(HasTest(make)))


def test_other_samples_may_be_tested_or_none() -> None:
    data = HasTest(two_files)
    data.others = Rows(X + N, Y)
    require_test_apart(parts(data))
    require_test_apart(parts(Foreign(two_files)))
