"""Rules of a table's column of weights: with which row each comes, and what is no weight."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_hpo.data import told
from lightning_hpo.data.table import TableDataModule
from lightning_hpo.errors import UserError

WEIGHTED = "size,w,y\n" + "".join(f"{k * 7 % 11},{k + 1},{k}.5\n" for k in range(12))


def module(tmp_path: Path, text: str = WEIGHTED, **options: Any) -> TableDataModule:
    (tmp_path / "a.csv").write_text(text)
    split = {"method": "holdout", "val_fraction": 0.25}
    given: dict[str, Any] = {"target": "y", "weights": "w", "test_fraction": 0.25, "split": split}
    return TableDataModule(train=tmp_path / "a.csv", **(given | options))


# Rule: each training row comes with its own weight, whatever the order, the fold and the limit.
@pytest.mark.parametrize("limit", [None, 5])
def test_rows_come_with_their_weights(tmp_path: Path, limit: int | None) -> None:
    data = module(tmp_path, batch_size=4, train_limit=limit)
    data.setup("fit")
    batches: list[Any] = list(data.train_dataloader())
    weights = torch.cat([w for _, _, w in batches])
    assert torch.equal(weights, torch.cat([y for _, y, _ in batches]) + 0.5)
    assert len(weights) == len(data.train_indices) > 2
    assert told.pair(data, batches[0])[1] is batches[0][1]
    # Elsewhere all rows count alike, and it is no input.
    val: Any = data.val_dataloader()
    assert [len(batch) for batch in val] == [2]
    assert data.input_names == ("size",)
    kinds = {c["name"]: c["kind"] for c in data.description()["columns"]}
    assert kinds == {"size": "number", "w": "weight", "y": "target"}
    assert told.weighs(data) and not told.weighs(module(tmp_path))


def test_other_weights_are_other_data(tmp_path: Path) -> None:
    found = set()
    for k in range(2):
        rows = "".join(f"{row * 7 % 11},{row + 1 + k},{row}.5\n" for row in range(12))
        data = module(tmp_path, "size,w,y\n" + rows)
        data.setup("fit")
        found.add(data.sha256)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        ({}, WEIGHTED.replace("7,2,", "7,0,"), r"a.csv, line 3, column 'w': .* got '0'\.$"),
        ({}, WEIGHTED.replace("7,2,", "7,-1,"), r"line 3, .* positive finite numbers, got '-1'"),
        ({}, WEIGHTED.replace("7,2,", "7,inf,"), r"line 3, .* positive finite numbers, got 'inf'"),
        ({}, WEIGHTED.replace("7,2,", "7,,"), r"line 3, .* got an empty field"),
        ({"weights": "v"}, WEIGHTED, r"the column 'v', .* data.weights names one that"),
        ({"weights": "y"}, WEIGHTED, r"data.weights must not name the target, got 'y' in both"),
        ({"inputs": "w"}, WEIGHTED, r"column 'w' of data.weights cannot be an input too"),
        ({"groups": "w"}, WEIGHTED, r"must not name the column of data.groups, 'w'"),
    ],
)
def test_wrong_weights_are_one_line(
    tmp_path: Path, options: dict[str, Any], text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        module(tmp_path, text, **options).setup("fit")
