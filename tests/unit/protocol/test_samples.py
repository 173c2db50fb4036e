"""The file of a job's samples: what it holds, and what is neither classes nor numbers."""

from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.protocol.samples import (
    Samples,
    Unclear,
    balanced_accuracy,
    losses,
    metrics_like,
    read_samples,
)

PLACES = np.arange(2)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    made = Samples.of(np.array([5, 3]), np.array([[1.0], [2.0]]), np.array([1.5, 0.0]))
    made.judged_by({"test/mae": 2.125, "test/loss": 2.125}).write(file)
    found = read_samples(file)
    assert found is not None
    assert found.index.tolist() == [5, 3]
    assert found.output.tolist() == [1.0, 2.0]
    assert found.target.tolist() == [1.5, 0.0]
    assert found.loss.tolist() == [0.25, 4.0]
    assert (found.kind, found.metric) == ("squared_error", "test/loss")
    assert [path.name for path in tmp_path.iterdir()] == ["samples.npz"]


def test_a_missing_or_damaged_file_is_none(tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    assert read_samples(file) is None
    file.write_bytes(b"PK")
    assert read_samples(file) is None


# Rule: of networks as one, the accuracies that each of them has logged, by their names.
def test_the_metrics_of_a_mean_have_the_names_of_its_networks() -> None:
    target = np.array([0, 0, 0, 1])
    mean, one, other = (
        Samples.of(np.arange(4), 4 * np.eye(2)[answers], target)
        for answers in ([0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1])
    )
    assert balanced_accuracy(mean) == pytest.approx((2 / 3 + 1) / 2)
    logged = [
        {"acc": 0.75, "balanced_accuracy": 0.5},
        {"acc": 0.5, "balanced_accuracy": 2 / 3},
    ]
    found = metrics_like(mean, [one, other], logged)
    assert found.keys() == {"cross_entropy", "acc", "balanced_accuracy"}
    assert found["balanced_accuracy"] == pytest.approx(5 / 6)
    # Logged by a rule that is not ours: no name for ours.
    unlike = [metrics | {"balanced_accuracy": 0.9} for metrics in logged]
    assert metrics_like(mean, [one, other], unlike).keys() == {"cross_entropy", "acc"}


# A row of equal logits costs log K, whatever their size.
def test_large_logits_have_finite_losses() -> None:
    logits = np.array([[1e4, 1e4], [1e4, 0.0]], dtype=np.float32)
    assert losses(logits, np.array([0, 1])).tolist() == pytest.approx([np.log(2), 1e4])


def test_a_network_that_diverged_has_no_loss() -> None:
    output = np.array([[np.inf, 0.0], [np.nan, 1.0]])
    found = Samples.of(PLACES, output, np.array([0, 1])).judged_by({"test/loss": float("nan")})
    assert np.isnan(found.loss).all()
    assert found.metric is None


@pytest.mark.parametrize(
    ("output", "target", "reason"),
    [
        (np.zeros(2), np.array([0, 1]), r"classes need outputs \(N, K\)"),
        (np.zeros((2, 3)), np.array([0, 3]), r"labels of 3 outputs lie in \[0, 2\], not \[0, 3\]"),
        (np.zeros((2, 3)), np.array([0, -100]), r"not \[-100, 0\]"),
        (np.full((2, 4), 0.25), np.array([0, 3]), "probabilities, not logits"),
        (np.zeros((2, 3)), np.array([0.5, 1.0]), r"values need outputs and real targets \(N,\)"),
        (np.zeros(2), np.array([True, False]), r"values need .* bool"),
    ],
)
def test_what_is_neither_classes_nor_numbers(output, target, reason) -> None:
    with pytest.raises(Unclear, match=reason):
        Samples.of(PLACES, output, target)
