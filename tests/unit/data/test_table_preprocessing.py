"""The torch module does what scikit-learn's fitted transformer does, on any rows."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightning_hpo.data.table_preprocessing import (
    as_torch,
    fitted,
    require_categories,
    restored,
    transformer,
)
from lightning_hpo.errors import UserError

NAN = float("nan")


def rows(
    rng: np.random.Generator, parts: list[str], n: int, *, most: int, gaps: float
) -> NDArray[np.float32]:
    """Numbers far from zero, truth values, and codes below ``most``, with a share of gaps."""
    columns = []
    for kind in parts:
        made: dict[str, Any] = {
            "number": rng.normal(1e4, 3, n),
            "truth": rng.integers(0, 2, n).astype(float),
            "category": rng.integers(-1, most, n).astype(float),
        }
        made[kind][rng.random(n) < gaps * rng.integers(0, 2)] = NAN
        columns.append(made[kind])
    return np.stack(columns, axis=1).astype(np.float32)


# Rule: to single precision, also for categories and gaps that the training rows have not.
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    parts=st.lists(st.sampled_from(["number", "truth", "category"]), min_size=1, max_size=6),
    categories=st.sampled_from(["one_hot", "embedded"]),
    min_frequency=st.sampled_from([None, 4, 0.3]),
    gaps=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_torch_does_what_scikit_learn_does(
    seed: int, parts: list[str], categories: Any, min_frequency: float | None, gaps: float
) -> None:
    rng = np.random.default_rng(seed)
    train = np.maximum(rows(rng, parts, 30, most=5, gaps=gaps), 0)
    others = rows(rng, parts, 50, most=9, gaps=0.3)
    made = transformer(parts, categories=categories, min_frequency=min_frequency)
    made.fit(train.astype(np.float64))
    module = as_torch(made, parts, categories=categories)
    n_coded = parts.count("category") if categories == "embedded" else 0
    for x in (train, others):
        expected = np.array(made.transform(x.astype(np.float64)))
        # scikit-learn has -1 for what is unseen or missing, an embedding begins at 0.
        expected[:, expected.shape[1] - n_coded :] += 1
        found = module(torch.from_numpy(x))
        assert found.shape == expected.shape == (len(x), module.n_features)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)
        cardinalities = module.cardinalities
        assert len(cardinalities) == n_coded
        for place, k in enumerate(cardinalities, start=module.n_features - n_coded):
            assert found[:, place].min() >= 0 and found[:, place].max() < k


X = np.array([[1, 0], [3, 2], [NAN, NAN], [5, 0]], dtype=np.float32)
PARTS = ["number", "category"]


def fit(**options: Any) -> Any:
    return fitted(X, PARTS, **({"categories": "one_hot", "min_frequency": None} | options))


# Rule: median 3 and deviation sqrt(2); indicators of gaps; the most frequent category for a gap.
def test_by_hand_one_hot() -> None:
    found = fit()(torch.from_numpy(X))
    s = 2**0.5
    expected = [
        [-s, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
        [0, 1, 1, 1, 0],
        [s, 0, 0, 1, 0],
    ]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    # A code that the file has and these rows have not, one that nobody has, and another name.
    unseen = fit()(torch.tensor([[3.0, 1.0], [3.0, 7.0], [3.0, -1.0]]))
    assert unseen.tolist() == [[0, 0, 0, 0, 0]] * 3
    assert fit().unseen(torch.tensor([[3.0, 1.0], [3.0, NAN], [3.0, 2.0]])).tolist() == [
        [True],
        [False],
        [False],
    ]


# Rule: codes from 1 in the order of the names that the rows have; 0 is unseen or missing.
def test_by_hand_embedded() -> None:
    module = fit(categories="embedded")
    assert (module.n_features, module.cardinalities) == (3, (3,))
    codes = module(torch.tensor([[3.0, 0.0], [3.0, 2.0], [3.0, 1.0], [3.0, NAN], [3.0, -1.0]]))
    assert codes[:, 2].tolist() == [1, 2, 0, 0, 0]


def test_rare_categories_count_as_one() -> None:
    x = np.array([[0], [0], [0], [1], [2]], dtype=np.float32)
    module = fitted(x, ["category"], categories="one_hot", min_frequency=2)
    found = module(torch.tensor([[0.0], [1.0], [2.0], [-1.0]]))
    assert found.tolist() == [[1, 0], [0, 1], [0, 1], [0, 1]]


def test_a_module_is_its_buffers() -> None:
    module = fit()
    again = restored(module.state_dict())
    x = torch.from_numpy(X)
    assert torch.equal(again(x), module(x)) and again.n_features == module.n_features


# Rule: an exported graph takes any number of rows, with gaps and unseen categories.
@pytest.mark.parametrize("categories", ["one_hot", "embedded"])
def test_a_module_can_be_exported(categories: Any) -> None:
    module = fit(categories=categories)
    x = torch.from_numpy(np.concatenate((X, [[NAN, 7]])).astype(np.float32))
    # Torch 2.6 asks for a largest number wherever columns are sliced.
    rows = {0: torch.export.Dim("rows", max=2**62)}
    graph = torch.export.export(module, (x,), dynamic_shapes=(rows,)).module()
    assert torch.equal(graph(x), module(x)) and torch.equal(graph(x[:3]), module(x[:3]))


@pytest.mark.parametrize(
    ("categories", "min_frequency", "message"),
    [
        ("onehot", None, "data.categories must be one of one_hot, embedded, got .*=onehot"),
        ("one_hot", 0, "data.min_frequency must be a number of rows .* got data.min_frequency=0"),
        ("one_hot", 1.5, "got data.min_frequency=1.5"),
    ],
)
def test_what_is_no_way_is_refused(categories: str, min_frequency: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_categories(categories, min_frequency)
