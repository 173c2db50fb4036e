"""metrics.csv is read as it was written, by us and by Lightning's own CSVLogger."""

import math
from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.flavour import pl
from lightning_hpo.protocol.metrics import cell, read_curves, write_metrics


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


# Rule: what is written is read again, to the last digit that is stored.
def test_reading_gives_what_was_written(tmp_path: Path) -> None:
    write_metrics(
        tmp_path / "new",
        {"train/loss": column(1.5, 0.25, 0.125), "val/loss": column(2.0, 1.0, 0.5)},
    )
    assert read_curves(tmp_path / "new" / "metrics.csv") == {
        "train/loss": [1.5, 0.25, 0.125],
        "val/loss": [2.0, 1.0, 0.5],
    }


def test_the_file_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    write_metrics(tmp_path, {"loss": column(1.5, 0.25)})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "epoch,step,loss",
        "0,1,1.5",
        "1,2,0.25",
    ]


# Rule: a sparse column has a value in every n-th epoch, and ends when it has no more.
def test_sparse_columns_have_a_value_in_every_nth_epoch(tmp_path: Path) -> None:
    write_metrics(
        tmp_path,
        {"train/loss": column(5, 4, 3, 2, 1)},
        {"val/loss": column(9, 8, 7, 6)},
        every=2,
    )
    curves = read_curves(tmp_path / "metrics.csv")
    assert curves["train/loss"] == [5, 4, 3, 2, 1]
    assert np.array_equal(curves["val/loss"], [math.nan, 8, math.nan, 6, math.nan], equal_nan=True)


# Rule: no number, no cell; a metric of which there is none at all has no curve.
def test_values_that_are_no_number_leave_their_cells_empty(tmp_path: Path) -> None:
    write_metrics(
        tmp_path, {"a": column(1, math.nan, math.inf), "b": column(math.nan), "c": column(1, 2)}
    )
    curves = read_curves(tmp_path / "metrics.csv")
    assert list(curves) == ["a", "c"]
    assert np.array_equal(curves["a"], [1, math.nan, math.nan], equal_nan=True)
    assert np.array_equal(curves["c"], [1, 2, math.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1 / 3, "0.3333333"), (1e-10, "1e-10"), (123456789.0, "1.234568e+08")],
)
def test_a_cell_has_seven_digits(value: float, text: str) -> None:
    assert cell(column(value), 0) == text


# Rule: Lightning's file is read too: several rows of an epoch are one, rows of none are left out.
def test_the_file_of_lightnings_own_logger_is_read(tmp_path: Path) -> None:
    logger = pl.loggers.CSVLogger(tmp_path, name="", version="")
    logger.log_metrics({"lr-Adam": 0.1}, step=0)
    for epoch, (train, val) in enumerate([(1.5, 2.0), (0.5, 1.0)]):
        logger.log_metrics({"epoch": epoch, "val/loss": val}, step=10 * epoch + 9)
        logger.log_metrics({"epoch": epoch, "train/loss": train}, step=10 * epoch + 9)
    logger.save()
    curves = read_curves(tmp_path / "metrics.csv")
    assert curves["train/loss"] == [1.5, 0.5]
    assert curves["val/loss"] == [2.0, 1.0]
    assert "lr-Adam" not in curves


def test_a_file_without_rows_has_no_curves(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,loss\n")
    assert read_curves(tmp_path / "metrics.csv") == {}
