"""CSV files as data: what is read, and one clear line for what is wrong."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_hpo.data.csv import CSVDataModule, read_columns
from lightning_hpo.errors import UserError

GOOD = "input,label\n1,10\n2,20\n3,30\n4,40\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def module(tmp_path: Path, train: str = GOOD, test: str = GOOD, **options: Any) -> CSVDataModule:
    files = {
        "train_csv": write(tmp_path / "train.csv", train),
        "test_csv": str(write(tmp_path / "test.csv", test)),
    }
    return CSVDataModule(**(files | options))


def test_the_default_columns_are_those_of_the_reference_study(tmp_path: Path) -> None:
    data = module(tmp_path, test="label,input\n7,5\n", split={"method": "none"})
    data.setup("test")
    x, y = data.raw("train")
    assert (x.tolist(), y.tolist()) == ([[1], [2], [3], [4]], [10, 20, 30, 40])
    # The order of a file's columns does not matter.
    assert [t.tolist() for t in data.raw("test")] == [[[5]], [7]]
    assert (data.input_shape, data.num_classes, data.classes) == ((1,), 0, None)
    assert (data.input_names, data.target_name) == (("input",), "label")
    assert (x.dtype, y.dtype) == (torch.float32, torch.float32)
    assert len(data.train_dataloader()) == 1


def test_several_inputs_are_standardised_each_by_its_own_training_fold(tmp_path: Path) -> None:
    text = "a,note,b,y\n" + "".join(f"{i},text,{100 * i},{-i}\n" for i in range(8))
    split = {"method": "kfold", "n_splits": 4, "fold": 1}
    data = module(tmp_path, text, text, inputs=["b", "a"], target="y", split=split)
    data.setup("fit")
    (x, y) = next(iter(data.train_dataloader()))
    assert (x.shape, y.shape, data.input_shape) == ((6, 2), (6,), (2,))
    assert x.mean(0).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert x.std(0, correction=0).tolist() == pytest.approx([1, 1])
    assert data.mean is not None and data.mean[0].item() == pytest.approx(100 * data.mean[1].item())
    assert data.input_names == ("b", "a")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffinput,label\n1,10\n2,20\n",  # a spreadsheet's byte-order mark
        "input,label\r\n1,10\r\n2,20\r\n",
        "\ninput , label\n\n1, 10\n2 ,20\n,\n\n",  # blank lines and blanks around values
        'input,label\n"1","10"\n"2","20"',
        "input,other,other,label\n1,x,x,10\n2,x,x,2e1\n",  # what is not read may be anything
    ],
)
def test_the_usual_shapes_of_csv_files(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", text)
    assert read_columns(path, ("input", "label"), fewest=2).tolist() == [[1, 10], [2, 20]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold a header and rows of numbers, but it is empty"),
        ("\n\n", "but it is empty"),
        ("input,label\n", "must hold at least 2 rows of numbers, got 0"),
        ("input,label\n1,2\n", "must hold at least 2 rows of numbers, got 1"),
        ("imput,label\n1,2\n", r"the column 'input'.*imput, label;.* Did you mean 'imput'\?"),
        ("input;label\n1;2\n", "Columns must be separated by commas"),
        ("input,label\n1,2\nx,3\n", "line 3, column 'input': must be a number, got 'x'"),
        ("input,label\n1,2\n3,\n", "line 3, column 'label': must be a number, got an empty field"),
        ('input,label\n1,"2,5"\n', "line 2, column 'label': must be a number, got '2,5'"),
        ("input,label\n\n1,nan\n", "line 3, column 'label': must be a finite number.*got nan"),
        ("input,label\n1,2\n-inf,2\n", "line 3, column 'input': must be a finite.*got -inf"),
        ("input,label\n1,1e39\n", "must be a finite number of single precision, got 1e39"),
        ("input,label\n1,2,3\n", r"line 2: a row must have as many fields.*\(2\), got 3"),
        ("input,label\n1\n", r"line 2: .*\(2\), got 1"),
        ("input,label,input\n1,2,3\n", "the column 'input' once, its header has it 2 times"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    data = module(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        data.setup("fit")
    assert "\n" not in str(caught.value)
    assert "train.csv" in str(caught.value)


def test_a_mistake_in_the_test_file_shows_before_any_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test\.csv, line 2, column 'label'"):
        module(tmp_path, test="input,label\n1,oops\n").setup("fit")
    with pytest.raises(UserError, match=r"test\.csv must hold at least 1 rows.*got 0"):
        module(tmp_path, test="input,label\n").setup("fit")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"got gone\.csv \(No such file.*relative paths start at /"):
        module(tmp_path, train_csv="gone.csv").setup("fit")
    with pytest.raises(UserError, match="Is a directory"):
        module(tmp_path, train_csv=tmp_path).setup("fit")
    (tmp_path / "latin.csv").write_bytes("größe,label\n1,2\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.csv must be a CSV file in UTF-8"):
        module(tmp_path, train_csv=tmp_path / "latin.csv").setup("fit")


@pytest.mark.parametrize("key", ["train_csv", "test_csv"])
def test_both_files_are_needed(key: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"data.{key} must name a CSV file, got null"):
        module(tmp_path, **{key: None}).setup("fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": []}, "data.inputs must name at least one column"),
        ({"inputs": ["a", "b", "a"]}, "must name each column once, got a again"),
        ({"inputs": ["a", "label"]}, "data.target must not be among data.inputs, got 'label'"),
        ({"batch_size": 0}, "batch_size must be at least 1, got batch_size=0"),
    ],
)
def test_wrong_names_show_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CSVDataModule(**options)


def test_the_checksum_follows_the_chosen_columns(tmp_path: Path) -> None:
    text = "input,other,label\n1,5,10\n2,6,20\n3,9,30\n"
    digests = set()
    for inputs in ("input", "other", ["input", "other"]):
        data = module(tmp_path, text, text, inputs=inputs)
        data.setup("fit")
        digests.add(data.sha256)
    assert len(digests) == 3


# Rule: a column that is no input may say which rows belong together, or how to stratify.
def test_a_column_gives_groups_and_labels(tmp_path: Path) -> None:
    text = "input,label,who,kind\n" + "".join(
        f"{i},{i},{'abcd'[i // 3]},{'xy'[i % 2]}\n" for i in range(12)
    )
    split = {"method": "kfold", "n_splits": 4, "fold": 1, "groups": "who"}
    data = module(tmp_path, text, split=split)
    data.setup("fit")
    who = [i // 3 for i in data.val_indices.tolist()]
    assert len(who) == 3 and len(set(who)) == 1
    data = module(tmp_path, text, split={"method": "kfold", "n_splits": 3, "labels": "kind"})
    data.setup("fit")
    assert sum(i % 2 for i in data.val_indices.tolist()) == 2
    with pytest.raises(UserError, match=r"cv\.groups must name .* CSVDataModule .* 12 samples"):
        module(tmp_path, text, split={"groups": "whom"}).setup("fit")
