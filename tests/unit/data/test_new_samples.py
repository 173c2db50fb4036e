"""Samples from outside: what is read of a file, what shapes pass, one clear line for the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_hpo.data.new_samples import (
    as_samples,
    as_tensor,
    read_tensor,
    require_finite,
    scaled_otherwise,
)
from lightning_hpo.errors import UserError

ROWS = np.array([[1, 2], [3, 4], [5, 6]])


def test_an_array_is_the_same_from_each_kind_of_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ROWS.astype(">f8"))
    np.savez(tmp_path / "a.npz", anything=ROWS)
    torch.save(torch.from_numpy(ROWS).bfloat16(), tmp_path / "a.pt")
    for ending in ("npy", "npz", "pt"):
        found = read_tensor(tmp_path / f"a.{ending}")
        assert (found.dtype, found.tolist()) == (torch.float32, ROWS.tolist())


def test_bytes_stay_bytes() -> None:
    assert as_tensor(ROWS.astype(np.uint8), "x").dtype == torch.uint8
    assert as_tensor(torch.from_numpy(ROWS).byte(), "x").dtype == torch.uint8


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": ROWS, "b": ROWS}, r"one array is expected, and it holds 2: a, b"),
        ({"a": np.array([{}], dtype=object)}, r"Object arrays cannot be loaded"),
        ({"a": np.array(["1"])}, r"must be an array of whole or real numbers, got type <U1"),
        ({"a": ROWS > 2}, r"got type bool"),
        ({"a": ROWS * 1j}, r"got type complex128"),
    ],
)
def test_an_npz_file_of_anything_else_is_one_line(
    tmp_path: Path, content: dict[str, Any], reason: str
) -> None:
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(UserError, match=reason) as refused:
        read_tensor(tmp_path / "a.npz")
    assert "\n" not in str(refused.value)


class Code:
    """Runs, where somebody opens it without care."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize("content", [{"x": torch.ones(2)}, Code()])
def test_a_torch_file_holds_one_tensor_and_runs_no_code(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"a\.pt must hold an array of numbers as its ending says"):
        read_tensor(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pt"])
@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} must hold an array of numbers"):
        read_tensor(tmp_path / name)


def test_lists_pass_and_ragged_ones_do_not() -> None:
    assert as_tensor([[1, 2]], "x").tolist() == [[1, 2]]
    with pytest.raises(UserError, match="x must be an array of numbers, but"):
        as_tensor([[1, 2], [3]], "x")


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ((3, 1, 4, 5), (1, 4, 5)),
        ((3, 4, 5), (1, 4, 5)),
        ((3, 2, 4, 5), (2, 4, 5)),
        ((3, 2), (2,)),
        ((3,), (1,)),
    ],
)
def test_samples_of_the_shape_pass_and_a_single_channel_is_added(
    given: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    assert as_samples(torch.zeros(given), shape, "x").shape == (3, *shape)


@pytest.mark.parametrize(
    ("given", "shape", "expected"),
    [
        ((3, 4, 5), (2, 4, 5), r"\(N, 2, 4, 5\) with N .*, got \(3, 4, 5\)"),
        ((3, 5, 4), (1, 4, 5), r"\(N, 1, 4, 5\) or \(N, 4, 5\) with N .*, got \(3, 5, 4\)"),
        ((0, 1, 4, 5), (1, 4, 5), r"of at least 1, got \(0, 1, 4, 5\)"),
        ((2,), (2,), r"\(N, 2\) with N of at least 1, got \(2\)"),
        ((), (1,), r"got \(\)"),
    ],
)
def test_other_shapes_are_told_with_what_was_expected(
    given: tuple[int, ...], shape: tuple[int, ...], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        as_samples(torch.zeros(given), shape, "x")


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300])
def test_the_first_sample_that_is_not_finite_is_told(value: float) -> None:
    rows = ROWS.astype(np.float64)
    rows[1, 0] = value
    with pytest.raises(UserError, match=r"x must be finite, got (nan|-?inf) in sample 1 \(from 0"):
        require_finite(as_tensor(rows, "x"), "x", "must be finite")


def test_fractions_are_doubted_where_the_study_has_larger_numbers() -> None:
    images, mean = torch.rand(2, 1, 4, 4), torch.tensor([70.0])
    assert scaled_otherwise(images, mean)
    assert scaled_otherwise(images[:, 0], mean)
    assert not scaled_otherwise(images * 255, mean)
    assert not scaled_otherwise((images * 255).byte(), mean)
    assert not scaled_otherwise(images, mean / 255)
    assert not scaled_otherwise(torch.rand(2, 1), mean)
