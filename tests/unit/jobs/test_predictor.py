"""What a network says of new samples: by its data's preprocessing, its kind, its temperature."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.csv import CSVDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.predictor import Predictor


class Given(pl.LightningModule):
    """Gives for each sample what ``of`` gives for a batch."""

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Any:
        self.sizes.append(len(x))
        return self.of(x)


class Pairs(TensorDataModule):
    """Rows of two numbers, of mean (1, 2) and standard deviation (2, 4)."""

    def load(self) -> Arrays:
        raise AssertionError("nobody should need the study's data")


def pairs(n_classes: int = 0, classes: tuple[str, ...] | None = None) -> Pairs:
    data = Pairs()
    moments = {"mean": torch.tensor([1.0, 2.0]), "std": torch.tensor([2.0, 4.0])}
    described = {"input_shape": (2,), "num_classes": n_classes, "classes": classes}
    data.load_state_dict({**moments, **described})
    return data


def refusal(predictor: Predictor, x: Any) -> str:
    with pytest.raises(UserError) as refused:
        predictor.predict(x)
    assert "\n" not in str(refused.value)
    return str(refused.value)


# Rule: (x - mean) / std of the training split, then the network, in batches and in order.
def test_values_are_those_of_the_normalised_samples() -> None:
    module = Given(lambda x: x.sum(1))
    found = Predictor(module, pairs(), batch_size=2).predict([[1, 2], [3, 2], [1, 6]])
    assert (found.dtype, found.tolist(), module.sizes) == (np.float32, [0, 1, 1], [2, 1])


def test_classes_have_numbers_names_and_probabilities_by_the_temperature() -> None:
    module = Given(lambda x: x * torch.tensor([2 * np.log(3), 0]))
    predictor = Predictor(module, pairs(2, ("a", "b")), temperature=2)
    # Normalised (1, 0): logits (2 log 3, 0), halved; normalised (-1, 0): the other way.
    rows = [[3.0, 2.0], [-1.0, 2.0]]
    assert predictor.predict(rows).tolist() == [0, 1]
    assert predictor.predict(rows).dtype == np.int64
    np.testing.assert_allclose(predictor.probabilities(rows), [[0.75, 0.25], [0.25, 0.75]], 1e-6)
    assert predictor.predictions(rows).classes == ("a", "b")


def test_classes_without_names_are_numbers() -> None:
    found = Predictor(Given(lambda x: x), pairs(2)).predictions([[1, 2]])
    assert found.classes == ["0", "1"]


def test_a_network_that_gives_probabilities_is_believed() -> None:
    module = Given(lambda x: torch.tensor([[0.9, 0.1]]).expand(len(x), 2))
    found = Predictor(module, pairs(2), temperature=3).probabilities([[1, 2]])
    np.testing.assert_allclose(found, [[0.9, 0.1]], 1e-6)


def test_values_have_no_probabilities() -> None:
    with pytest.raises(UserError, match="Given predicts values, not probabilities"):
        Predictor(Given(lambda x: x[:, :1]), pairs()).probabilities([[1, 2]])


# Rule: what nobody describes goes as it is, and its kind is that of the kept outputs, or its shape.
def test_other_data_get_no_preprocessing() -> None:
    module = Given(lambda x: x)
    assert Predictor(module, None).predict([[1, 2]]).tolist() == [1]
    assert Predictor(module, None, kind="cross_entropy").predict([[1, 2]]).tolist() == [1]
    assert Predictor(module, None).predict([1.5, 2.5]).tolist() == [1.5, 2.5]
    said = refusal(Predictor(module, None, kind="squared_error"), [[1, 2]])
    assert "must give one value for each sample, got (1, 2)" in said
    assert "at least one sample, got (0,)" in refusal(Predictor(module, None), [])


@pytest.mark.parametrize(
    ("of", "n_classes", "message"),
    [
        (lambda x: x[:, 0], 2, "Given must give logits (N, K) of K classes, got (1,)"),
        (lambda x: x, 0, "Given must give one value for each sample, got (1, 2)"),
        (lambda x: x[..., None], 2, "got (1, 2, 1)"),
        (lambda x: x.sum(), 0, "Given must give one output for each of 1, got ()"),
        (lambda x: [x], 0, "got list"),
        (lambda x: x[:, 0] / 0, 0, "Given must give finite numbers, got"),
        (lambda x: x @ torch.ones(3, 1), 0, "Given must take a batch of samples (1, 2), but: Run"),
    ],
)
def test_what_is_no_prediction_is_one_line(of: Any, n_classes: int, message: str) -> None:
    assert message in refusal(Predictor(Given(of), pairs(n_classes)), [[1, 2]])


def test_samples_of_another_shape_and_not_finite_are_refused() -> None:
    predictor = Predictor(Given(lambda x: x[:, 0]), pairs())
    assert "(N, 2) with N of at least 1, got (1, 3)" in refusal(predictor, [[1, 2, 3]])
    assert "got nan in sample 1" in refusal(predictor, [[1, 2], [1, np.nan]])


def test_the_state_of_an_earlier_version_tells_no_shape_and_its_samples_still_must_be_finite() -> (
    None
):
    data = Pairs()
    data.load_state_dict({"mean": torch.zeros(2), "std": torch.ones(2)})
    predictor = Predictor(Given(lambda x: x), data)
    assert predictor.predict([[1, 2]]).tolist() == [1]
    assert "got inf in sample 0" in refusal(predictor, [[np.inf, 2]])


def test_a_network_without_forward_and_no_batches_are_refused() -> None:
    with pytest.raises(UserError, match="predicts by its forward, but"):
        Predictor(pl.LightningModule(), None)
    with pytest.raises(UserError, match="batch_size must be at least 1, got batch_size=0"):
        Predictor(Given(len), None, batch_size=0)


# Rule: who looks into the network afterwards finds it as before, as does who draws at random.
def test_modes_and_random_state_stay() -> None:
    module = Given(lambda x: torch.nn.functional.dropout(x[:, 0], training=module.training))
    module.train()
    before = torch.random.get_rng_state()
    assert Predictor(module, pairs()).predict([[3, 2]]).tolist() == [1]
    assert module.training
    assert torch.equal(torch.random.get_rng_state(), before)


# Rule: on a GPU where there is one, and what comes is on the CPU.
@pytest.mark.gpu
def test_a_gpu_gives_the_same() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    module = Given(lambda x: x.sum(1))
    predictor = Predictor(module, pairs(), batch_size=2)
    assert module.device.type == "cuda"
    assert predictor.predict([[1, 2], [3, 2], [1, 6]]).tolist() == [0, 1, 1]


# ---------------------------------------------------------------- files


def table(folder: Path, text: str) -> Path:
    (folder / "rows.csv").write_text(text)
    return folder / "rows.csv"


def of_csv() -> Predictor:
    data = CSVDataModule(inputs=["b", "a"], target="y")
    data.load_state_dict(pairs().state_dict())
    return Predictor(Given(lambda x: x[:, 0]), data)


def test_columns_are_found_by_their_names_and_the_target_is_said_to_be_ignored(
    tmp_path: Path,
) -> None:
    predictor, path = of_csv(), table(tmp_path, "a,more,b\n1,x,2\n3,y,4\n")
    assert predictor.read(path).tolist() == [[2, 1], [4, 3]]
    assert predictor.doubts(path, predictor.read(path)) == []
    path = table(tmp_path, "a,y,b\n1,,2\n")
    assert predictor.doubts(path, predictor.read(path)) == ["the column 'y' is the target: ignored"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,c\n1,2\n", "column 'b', its columns are: a, c; the inputs of the study are: b, a."),
        ("a,b\n1,nan\n", "line 2, column 'b': must be a finite number"),
        ("a,b\n1,high\n", "line 2, column 'b': must be a number, got 'high'"),
        ("a,b\n", "must hold at least 1 rows of numbers, got 0"),
        ("", "but it is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        of_csv().read(table(tmp_path, text))
    assert message in str(refused.value)


def test_files_of_another_kind_are_refused_with_those_that_fit(tmp_path: Path) -> None:
    path = table(tmp_path, "a,b\n1,2\n")
    with pytest.raises(UserError, match=r"must be a file of \.npy, \.npz, \.pt, got .*rows\.csv"):
        Predictor(Given(len), pairs()).read(path)
    with pytest.raises(UserError, match=r"must be a file of \.csv, \.npy, \.npz, \.pt, got .*\.tx"):
        of_csv().read(path.rename(tmp_path / "rows.txt"))
    with pytest.raises(
        UserError, match=r"INPUT must be a readable file, got .*rows\.csv \(No such"
    ):
        of_csv().read(path)


def test_it_says_that_other_data_are_not_prepared() -> None:
    (said,) = Predictor(Given(len), None).doubts(Path("x.npy"), torch.ones(1))
    assert "without any preprocessing" in said


class Files(Pairs):
    """Rows that lie in files which nobody but the data can read."""

    def read_samples(self, path: Path) -> Tensor:
        return torch.tensor([[float(path.stem), 0.0]])

    def sample_names(self, path: Path) -> list[str]:
        return [path.name]


# Rule: data that read new samples themselves, and name them, are asked; not for a tensor file.
def test_data_may_read_and_name_new_samples_themselves(tmp_path: Path) -> None:
    predictor = Predictor(Given(lambda x: x.sum(1)), Files())
    assert predictor.read(tmp_path / "7.csv").tolist() == [[7, 0]]
    assert predictor.names(tmp_path / "7.csv") == ["7.csv"]
    np.save(tmp_path / "8.npy", np.ones((1, 2)))
    assert predictor.read(tmp_path / "8.npy").tolist() == [[1, 1]]
    assert predictor.names(tmp_path / "8.npy") is None
    assert Predictor(Given(lambda x: x), pairs()).names(tmp_path / "7.csv") is None


class Reading(Pairs):
    """Knows files of its own: one number a line, of which it makes a row."""

    def read_samples(self, path: Path) -> Tensor:
        return torch.tensor([[float(line), 0.0] for line in path.read_text().split()])


# Rule: what the data read themselves comes before our own rules; a tensor file is one for all data.
def test_data_may_say_how_their_files_are_read(tmp_path: Path) -> None:
    predictor = Predictor(Given(lambda x: x.sum(1)), Reading())
    lines, array = tmp_path / "a.lines", tmp_path / "a.npy"
    lines.write_text("5\n7\n")
    np.save(array, np.array([[1.0, 2.0]]))
    assert predictor.read(lines).tolist() == [[5, 0], [7, 0]]
    assert predictor.read(array).tolist() == [[1, 2]]


class Particular(Pairs):
    """Takes its samples as texts, and has a doubt of its own."""

    def as_samples(self, x: Any, name: str) -> Tensor:
        if name == "odd":
            raise UserError(f"{name} must be even.")
        return torch.tensor([[float(text), 2.0] for text in x])

    def sample_doubts(self, path: Path, x: Tensor) -> list[str]:
        return [f"{len(x)} rows of {path.name}"]


# Rule: the data may know better than we do which samples are theirs, and what to doubt.
def test_data_may_say_which_samples_are_theirs(tmp_path: Path) -> None:
    data = Particular()
    data.load_state_dict(pairs().state_dict())
    predictor = Predictor(Given(lambda x: x.sum(1)), data)
    assert predictor.predict(["1", "3"]).tolist() == [0, 1]
    with pytest.raises(UserError, match="odd must be even"):
        predictor.predictions(["1"], "odd")
    assert predictor.doubts(tmp_path / "a.npy", torch.zeros(2, 2)) == ["2 rows of a.npy"]
