"""Tables as data: files in, samples and what is told of them out, new rows by the same rules."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lightning_hpo.data import told
from lightning_hpo.data.table import TableDataModule
from lightning_hpo.errors import UserError

HOLDOUT = {"method": "holdout", "val_fraction": 0.25}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def rows(n: int, *, of: str = "{k},{k}.5,{letter},{word}") -> str:
    lines = [of.format(k=k, letter="abc"[k % 3], word=("no", "yes")[k % 4 == 0]) for k in range(n)]
    return "\n".join(lines) + "\n"


HEADER = "key,size,colour,sold\n"


def module(tmp_path: Path, text: str = HEADER + rows(40), **options: Any) -> TableDataModule:
    given: dict[str, Any] = {"target": "sold", "test_fraction": 0.25, "split": HOLDOUT}
    return TableDataModule(train=write(tmp_path / "a.csv", text), **(given | options))


def test_classes_of_one_file(tmp_path: Path) -> None:
    data = module(tmp_path)
    data.setup("fit")
    assert (data.classes, data.num_classes, data.target_name) == (("no", "yes"), 2, "sold")
    # The size and three colours; the key counts up and is none.
    assert (data.input_names, data.input_shape) == (("size", "colour"), (4,))
    assert data.cardinalities == ()
    x, y = next(iter(data.train_dataloader()))
    assert (x.shape, x.dtype, y.dtype) == ((22, 4), torch.float32, torch.int64)
    assert x[:, 0].mean().item() == pytest.approx(0, abs=1e-6)
    assert x[:, 0].std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert x[:, 1:].sum(1).tolist() == [1] * 22
    data.setup("test")
    # A quarter of 40, and of each of the classes as nearly as can be.
    assert data.raw("test")[1].bincount().tolist() in ([7, 3], [8, 2])


# Rule: the test rows are the same whatever the seed, the split and the fold.
def test_one_test_for_all_studies(tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        split = {"method": "kfold", "n_splits": 3, "fold": seed, "seed": seed}
        data = module(tmp_path, split=split, seed=seed)
        data.setup("test")
        found.append(data.raw("test")[0])
    assert torch.equal(found[0], found[1])


def test_the_last_rows_are_the_test_in_the_order_of_time(tmp_path: Path) -> None:
    data = module(tmp_path, split=HOLDOUT | {"order": "time"}, inputs="size")
    data.setup("test")
    assert data.raw("test")[0][:, 0].tolist() == [k + 0.5 for k in range(30, 40)]


def test_values_of_two_files(tmp_path: Path) -> None:
    other = write(tmp_path / "b.csv", "y,colour,size,more\n7,a,2.5,x\n,a,1,x\n9,z,?,x\n")
    text = "size,colour,y\n1,a,10.5\n2,b,20\n3,,7\n4,a,9\n"
    data = module(tmp_path, text, target="y", test=other, split={"method": "none"})
    data.setup("test")
    assert (data.num_classes, data.classes, data.class_counts) == (0, None, [])
    test_x, test_y = data.raw("test")
    assert test_y.tolist() == [7, 9]
    assert np.array_equal(test_x.numpy(), [[2.5, 0], [np.nan, -1]], equal_nan=True)
    description = data.description()
    assert description["samples"] == {"train": 4, "test": 2}
    assert description["notes"] == ["1 row of b.csv without a target left out"]
    assert description["warnings"] == ["1 of 2 test rows have a 'colour' that no training row has"]
    assert len(data.train_dataloader()) == 1


# Rule: what a fold has learnt of the inputs it has from the rows that train in it.
def test_each_fold_prepares_by_its_own_training_rows(tmp_path: Path) -> None:
    text = "size,colour,y\n" + "".join(f"{k * k},{'ab'[k > 0]},{k}.5\n" for k in range(9))
    widths = []
    for fold in range(3):
        split = {"method": "kfold", "n_splits": 3, "fold": fold}
        data = module(tmp_path, text, target="y", split=split, test_fraction=0.1)
        data.setup("fit")
        raw, _ = data.raw("train")
        x = data.normalised(raw)
        expected = (raw[:, 0] - raw[:, 0].mean()) / raw[:, 0].std(correction=0)
        np.testing.assert_allclose(x[:, 0], expected, atol=1e-5)
        widths.append((len(raw[:, 1].unique()), data.input_shape))
    # One row alone has an 'a': where it validates, there is no such feature.
    assert {(2, (3,))} <= set(widths) and all(shape == (n + 1,) for n, shape in widths)


def test_categories_may_be_codes(tmp_path: Path) -> None:
    data = module(tmp_path, categories="embedded")
    data.setup("fit")
    assert (data.input_shape, data.cardinalities) == ((2,), (4,))
    x, _ = next(iter(data.train_dataloader()))
    assert sorted(x[:, 1].unique().tolist()) == [1, 2, 3]


def test_groups_are_never_divided_and_no_input(tmp_path: Path) -> None:
    text = "who,size,y\n" + "".join(f"p{k // 4},{k * 7 % 11},{k}.5\n" for k in range(40))
    by_data = module(tmp_path, text, target="y", groups="who")
    by_cv = module(tmp_path, text, target="y", split=HOLDOUT | {"groups": "who"})
    for data in (by_data, by_cv):
        data.setup("test")
        assert data.input_names == ("size",)
        who = data.values("who")
        assert who is not None and len(who) == data.n_samples
        parts = [set(who[i.numpy()]) for i in (data.train_indices, data.val_indices)]
        assert not parts[0] & parts[1] and parts[0] | parts[1] == set(who)
        # Of ten people three are the test's.
        assert (len(set(who)), len(data.raw("test")[1])) == (7, 12)
    assert torch.equal(by_data.val_indices, by_cv.val_indices)
    kinds = {c["name"]: c["kind"] for c in by_data.description()["columns"]}
    assert kinds == {"who": "group", "size": "number", "y": "target"}


def test_the_description_says_what_each_column_is_taken_for(tmp_path: Path) -> None:
    data = module(tmp_path, columns={"size": "ignored"})
    data.setup("fit")
    found = told.description(data)
    assert found["columns"] == [
        {
            "name": "key",
            "kind": "identifier",
            "missing": 0,
            "distinct": 40,
            "note": "counts up by 1",
        },
        {
            "name": "size",
            "kind": "ignored",
            "missing": 0,
            "distinct": 40,
            "note": "as data.columns says",
        },
        {"name": "colour", "kind": "category", "missing": 0, "distinct": 3, "note": "text"},
        {
            "name": "sold",
            "kind": "target",
            "missing": 0,
            "distinct": 2,
            "note": "classification: 2 different texts",
        },
    ]
    assert found["notes"] == ["10 of 40 rows of a.csv are its test, drawn by class, in all studies"]
    assert found["shape"] == [3]
    assert [c["name"] for c in found["classes"]] == ["no", "yes"]


def test_a_fold_more_than_rows_of_a_class_is_doubted(tmp_path: Path) -> None:
    text = HEADER + rows(40, of="{k},{k}.5,{letter},no") + "50,1.5,a,yes\n51,2.5,b,yes\n"
    split = {"method": "kfold", "n_splits": 3, "stratified": False}
    data = module(tmp_path, text, split=split)
    data.setup("fit")
    said = " ".join(data.description()["warnings"])
    assert "the class 'yes' has 1 training rows for 3 folds" in said
    assert "the classes are out of balance: 'no' has 30 training rows, 'yes' 1;" in said


# Rule: a checkpoint has all that new rows need, as plain values and tensors.
@pytest.mark.parametrize("categories", ["one_hot", "embedded"])
def test_new_rows_by_a_checkpoint_alone(tmp_path: Path, categories: Any) -> None:
    pytest.importorskip("pyarrow")
    trained = module(tmp_path, categories=categories)
    trained.setup("fit")
    torch.save(trained.state_dict(), tmp_path / "state.pt")
    data = TableDataModule(train="gone.csv", target="sold", categories=categories)
    data.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (data.input_shape, data.cardinalities) == (trained.input_shape, trained.cardinalities)
    assert (data.classes, data.input_names) == (("no", "yes"), ("size", "colour"))
    new = write(tmp_path / "new.csv", "more,colour,size\nx,b,1.5\nx,,\nx,new,3\n")
    raw = data.read_samples(new)
    assert np.array_equal(raw.numpy(), [[1.5, 1], [np.nan] * 2, [3, -1]], equal_nan=True)
    assert torch.equal(data.normalised(raw), trained.normalised(raw))
    assert data.preprocessing()(raw).equal(data.normalised(raw))
    assert data.sample_doubts(new, raw) == [
        "1 of 3 rows have a 'colour' that no training row had: it counts as none"
    ]
    # As the target of a CSV file, that of a Parquet file is told to be ignored.
    pd.DataFrame({"size": [1.5], "colour": ["b"], "sold": ["no"]}).to_parquet(tmp_path / "a.pq")
    assert data.sample_doubts(tmp_path / "a.pq", data.read_samples(tmp_path / "a.pq")) == [
        "the column 'sold' is the target: ignored"
    ]
    frame = pd.DataFrame({"size": [1.5, None, 3], "colour": ["b", None, "new"]})
    assert torch.equal(data.as_samples(frame, "x").nan_to_num(9), raw.nan_to_num(9))
    assert torch.equal(data.as_samples(raw.numpy(), "x").nan_to_num(9), raw.nan_to_num(9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size\n1\n", r"new\.csv must have the column 'colour', .*: size; .* are: size, colour\."),
        ("size,colour\nbig,a\n", "line 2, column 'size': must be a finite number .* got 'big'"),
        ("size,colour\n", "must hold at least one row, got none"),
    ],
)
def test_new_rows_that_do_not_fit_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    data = module(tmp_path)
    data.setup("fit")
    with pytest.raises(UserError, match=message) as refused:
        data.read_samples(write(tmp_path / "new.csv", text))
    assert "\n" not in str(refused.value)


def test_new_arrays_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    data = module(tmp_path)
    data.setup("fit")
    with pytest.raises(UserError, match=r"x must hold samples of the study's shape, \(N, 2\)"):
        data.as_samples(np.zeros((5, 4)), "x")
    with pytest.raises(UserError, match="x must hold numbers of single precision, or NaN for gaps"):
        data.as_samples([[np.inf, 0]], "x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": None}, "data.train must name a CSV or Parquet file, got null"),
        ({"target": None}, "data.target must name the column to predict, got null"),
        ({"target": "sald"}, r"the column 'sald', .*; name yours .* Did you mean 'sold'\?"),
        ({"test_fraction": None}, "must have test rows, got data.test=null and"),
        ({"test_fraction": 1.0}, r"data.test_fraction must lie in \(0, 1\), got .*=1.0"),
        ({"inputs": ["siz"]}, "'siz', its columns are: .*data.inputs names one that is not there"),
        ({"inputs": ["size", "size"]}, "data.inputs must name each column once, got size again"),
        ({"inputs": ["size", "sold"]}, "data.inputs must not name the target, got 'sold' in both"),
        ({"columns": {"nope": "date"}}, "data.columns names one that is not there"),
        ({"columns": {"size": "num"}}, "data.columns must say one of .* got size: num"),
        ({"groups": "nope"}, "data.groups names one that is not there"),
        ({"groups": "size", "inputs": ["size"]}, "'size' of data.groups cannot be an input too"),
        ({"task": "classify"}, "data.task must be one of auto, classification, regression, got"),
        ({"task": "regression"}, "line 2, column 'sold': must be a finite number .* got 'yes'"),
        ({"augment": lambda x, g: x}, "augment changes images, and a table has none"),
        ({"test": "gone.csv"}, r"data.train and data.test must be readable files, got gone\.csv"),
    ],
)
def test_what_does_not_fit_together_is_one_line(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as refused:
        if "train" in options:
            TableDataModule(target="sold").setup("fit")
        module(tmp_path, **options).setup("fit")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,sold\n1,a\n2,a\n", "the target 'sold' of .* two different values, got only 'a'"),
        ("x,sold\n1,a\n2,\n", "must hold at least 2 rows with a target, got 1"),
        (
            "x,sold\n5,a\n5,b\n",
            r"one input beside the target 'sold', got x \(constant: always '5'\)",
        ),
        ("sold\n1\n2\n", "at least one input beside the target 'sold', got no other column"),
        ("x,sold\n1,a\n2,a\n3,b\n", "the class 'b' of 'sold' must have at least 2 rows"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        module(tmp_path, text).setup("fit")


def test_a_gap_belongs_to_no_group(tmp_path: Path) -> None:
    text = "who,size,y\n" + "".join(f"{'' if k == 2 else k // 4},{k}.1,{k}.5\n" for k in range(40))
    with pytest.raises(UserError, match="line 4, column 'who': must not be empty, since"):
        module(tmp_path, text, target="y", groups="who").setup("fit")


def test_a_class_of_the_test_alone_is_one_line(tmp_path: Path) -> None:
    other = write(tmp_path / "b.csv", HEADER + "1,1,a,maybe\n2,2,b,no\n")
    message = r"b\.csv, line 2, column 'sold': must be a class of the training file \(no, yes\)"
    with pytest.raises(UserError, match=message):
        module(tmp_path, test=other).setup("fit")


def test_the_checksum_tells_names_apart(tmp_path: Path) -> None:
    def checksum(text: str) -> str:
        data = module(tmp_path, text)
        data.setup("fit")
        return data.sha256

    text = HEADER + rows(40)
    assert checksum(text) == checksum(text)
    # The same numbers are stored, but they stand for other colours and other classes.
    assert checksum(text.replace("a,", "aa,")) != checksum(text)
    assert checksum(text.replace("no\n", "nein\n")) != checksum(text)


# Rule: an epoch is as many steps as the rows fill batches of 64; null: one step.
@pytest.mark.parametrize(("options", "n_batches"), [({}, 4), ({"batch_size": None}, 1)])
def test_rows_come_in_batches(tmp_path: Path, options: dict[str, Any], n_batches: int) -> None:
    data = module(tmp_path, HEADER + rows(320), split={"method": "none"}, **options)
    data.setup("fit")
    assert (len(data.train_indices), len(data.train_dataloader())) == (240, n_batches)


# Rule: the scale of a target is that of the rows that train in a fold; classes have none.
def test_a_target_of_values_has_a_scale(tmp_path: Path) -> None:
    text = "size,y\n" + "".join(f"{k}.5,{k * k}\n" for k in range(9))
    split = {"method": "kfold", "n_splits": 3, "fold": 1}
    data = module(tmp_path, text, target="y", split=split, test_fraction=0.1)
    assert "target_scale" not in told.for_module(data)
    data.setup("fit")
    y = data.targets("train").numpy()
    assert told.for_module(data)["target_scale"] == pytest.approx((y.mean(), y.std()))
    classes = module(tmp_path)
    classes.setup("fit")
    assert "target_scale" not in told.for_module(classes)
