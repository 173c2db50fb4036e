"""Tables of a test metric on each sample, and verdicts of rows that have them."""

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from study_folders import SMALL, keep_samples, refits, study

from lightning_hpo.compare import comparison
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.samples import Samples
from lightning_hpo.results.crossed import crossed, crossed_pairs, over_folds, risk_interval
from lightning_hpo.results.results import read
from lightning_hpo.results.rows import rows_of
from lightning_hpo.results.samples import Row, Study, difference, reach_of_intervals
from lightning_hpo.results.tested import table

N = 40
TARGET = np.arange(N) % 2


def answers(wrong: int, start: int = 0) -> NDArray[Any]:
    """Logits (N, 2), wrong on ``wrong`` samples from ``start`` on."""
    classes = TARGET.copy()
    classes[start : start + wrong] = 1 - classes[start : start + wrong]
    return np.eye(2)[classes] * 4.0


def row(root: Path, name: str, wrong: list[int], start: int = 0, **more: Any) -> Row:
    folder = study(root, name, SMALL, **more)
    outputs = [answers(n, start) for n in wrong]
    return Row((Study(found := keep_samples(folder, outputs, TARGET, "acc"), read(found)),))


def right(wrong: int, start: int = 0) -> NDArray[np.float64]:
    return (answers(wrong, start).argmax(1) == TARGET).astype(float)


# Rule: of the quantities that can be read off outputs, that one is a metric whose mean it is.
@pytest.mark.parametrize(
    ("mean", "expected"), [(0.9, "right"), (0.1, "wrong"), (0.4181499, "loss"), (0.8, None)]
)
def test_a_metric_is_known_by_its_mean(mean: float, expected: str | None) -> None:
    found = Samples.of(np.arange(N), answers(4), TARGET)
    made = table([found], [mean])
    assert (None if made is None else made.quantity) == expected
    if made is not None:
        assert made.losses_rn.shape == (1, N)
        assert made.losses_rn.mean() == pytest.approx(mean, rel=1e-5)


def test_the_error_of_a_regressor_is_known_by_its_mean() -> None:
    output, target = np.array([1.0, 2, 3]), np.array([1.5, 2, 5])
    found = Samples.of(np.arange(3), output, target)
    absolute = table([found], [2.5 / 3])
    assert absolute is not None
    assert (absolute.quantity, absolute.losses_rn.tolist()) == ("absolute error", [[0.5, 0, 2]])
    squared = table([found], [4.25 / 3])
    assert squared is not None
    assert squared.losses_rn.tolist() == [[0.25, 0, 4]]


# Rule: networks that were tested on different samples, or not all with samples, have no table.
def test_networks_share_a_table_only_on_the_same_samples() -> None:
    found = Samples.of(np.arange(N), answers(4), TARGET)
    others = Samples.of(np.arange(N) + 1, answers(4), TARGET)
    assert table([found, found], [0.9, 0.9]) is not None
    assert table([found, others], [0.9, 0.9]) is None
    assert table([found, None], [0.9, 0.9]) is None
    assert table([found, found], [0.9, None]) is None


# Rule: with samples kept, a row's interval and the verdict are over trainings and samples.
def test_rows_with_samples_are_judged_over_both(tmp_path: Path) -> None:
    a, b = row(tmp_path, "a", [2, 3, 4]), row(tmp_path, "b", [9, 8, 10], start=20)
    tables = [
        np.stack([right(n) for n in (2, 3, 4)]),
        np.stack([right(n, 20) for n in (9, 8, 10)]),
    ]
    assert difference(a, b, "acc") == crossed(*tables)
    assert a.interval("acc") == risk_interval(tables[0])
    (words,) = reach_of_intervals([a, b], ["acc"])
    assert words.startswith("over refits and test samples: ")
    assert "two winners, not on two ways" in words


# Rule: two networks that were trained once each are judged by McNemar's test, as two networks.
def test_two_single_networks(tmp_path: Path) -> None:
    a, b = row(tmp_path, "a", [1]), row(tmp_path, "b", [9], start=20)
    found = difference(a, b, "acc")
    assert found is not None
    assert found.method == "McNemar's mid-p test, 9 against 1 of 40 samples"
    assert found.p == pytest.approx(12 / 1024)
    (words,) = reach_of_intervals([a, b], ["acc"])
    assert words.startswith("over test samples alone: ")
    assert "two networks: another training of each may turn it" in words
    shown = comparison([*a.folders, *b.folders])
    # Plus four: 41 of 44 samples are right, and no share is over 1.
    assert "0.9750 [0.8543, 1.0000]" in shown
    assert "acc: a - b = +0.2000, 95 % in [" in shown


# Rule: against a network trained once nothing is known of what another training would give.
def test_one_training_against_several_cannot_be_told(tmp_path: Path) -> None:
    found = difference(row(tmp_path, "a", [1]), row(tmp_path, "b", [9, 8]), "acc")
    assert found is not None
    assert found.method == "one value has no spread"


def test_rows_without_samples_are_judged_as_before(tmp_path: Path) -> None:
    a = row(tmp_path, "a", [2, 3, 4])
    folder = study(tmp_path, "b", SMALL, **refits([7, 8, 9], [0.7, 0.75, 0.8]))
    results = read(folder)
    renamed = [{**r, "test": {"acc": r["test"]["test/accuracy"]}} for r in results["refits"]]
    b = Row((Study(folder, {**results, "refits": renamed, "test": {"acc": 0.75}}),))
    found = difference(a, b, "acc")
    assert found is not None
    assert found.method == "unpaired, 3 and 3 (Welch)"
    kinds = [words.partition(":")[0] for words in reach_of_intervals([a, b], ["acc"])]
    assert kinds == ["over refits and test samples", "over refits"]


# Rule: of a row over seeds each seed is one training, the mean of its refits.
def test_rows_over_seeds(tmp_path: Path) -> None:
    def over_seeds(name: str, start: int, wrong: list[int]) -> Row:
        command = f"python -m lightning_hpo +experiment={name}"
        made = [
            row(tmp_path, f"{name}_{s}", [n, n + 2], start, seed=s, command=command)
            for s, n in enumerate(wrong)
        ]
        (found,) = rows_of([r.studies[0] for r in made])
        return found

    a, b = over_seeds("a", 0, [2, 4, 3]), over_seeds("b", 20, [5, 9, 9])
    of_a = np.stack([(right(n) + right(n + 2)) / 2 for n in (2, 4, 3)])
    of_b = np.stack([(right(n, 20) + right(n + 2, 20)) / 2 for n in (5, 9, 9)])
    assert difference(a, b, "acc") == crossed_pairs(of_a, of_b, what="equal seeds")
    assert a.interval("acc") == risk_interval(of_a)
    (words,) = reach_of_intervals([a, b], ["acc"])
    assert words.startswith("over seeds and test samples: ")
    assert "two ways to search and train" in words


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    a = row(tmp_path, "a", [1, 2])
    path = StudyFolder(a.folders[0]).final.refit.samples
    if content is None:
        arrays = dict(np.load(path)) | {"loss": np.zeros(3, np.float32)}
        np.savez(path, **arrays)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"refit/samples\.npz must hold .* damaged; put back") as e:
        a.interval("acc")
    assert "\n" not in str(e.value)


# ---------------------------------------------------------------- samples of folds


def folded(root: Path, name: str, folds: list[list[int]], wrong: list[int], **more: Any) -> Row:
    """A study whose folds validated these samples, of which ``wrong`` were taken for the other."""
    accuracies = [fmean(i not in wrong for i in fold) for fold in folds]
    folder = study(root, name, accuracies, **more)
    for number, fold in enumerate(folds):
        target = np.array(fold) % 2
        classes = np.array([1 - t if i in wrong else t for i, t in zip(fold, target, strict=True)])
        found = Samples.of(np.array(fold), np.eye(2)[classes] * 4.0, target)
        found.write(StudyFolder(folder).final.fold(number).samples)
    return Row((Study(folder, read(folder)),))


HALVES, EVEN = [[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 2, 4, 6], [1, 3, 5, 7]]


# Rule: where both kept them, cross-validations of the same samples are judged by each sample.
@pytest.mark.parametrize(("folds", "which"), [(HALVES, "identical"), (EVEN, "different")])
def test_folds_with_samples_are_judged_by_both(
    tmp_path: Path, folds: list[list[int]], which: str
) -> None:
    a, b = folded(tmp_path, "a", HALVES, [0]), folded(tmp_path, "b", folds, [1, 5, 6])
    right_a, right_b = (np.array([i not in w for i in range(8)], float) for w in ([0], [1, 5, 6]))
    numbers = [np.array([0] * 4 + [1] * 4), np.array([i in folds[1] for i in range(8)], int)]
    found = difference(a, b, "val/accuracy")
    assert found == over_folds(right_a, right_b, *numbers, overlap=1)
    assert found is not None
    assert found.method.startswith(f"8 samples of 2 {which} folds")


# Rule: of other data, or of samples that were validated several times, the folds' means are judged.
def test_folds_of_other_samples_are_judged_by_their_means(tmp_path: Path) -> None:
    a = folded(tmp_path, "a", HALVES, [0, 1, 5])
    others = [
        folded(tmp_path, "data", EVEN, [1], data={"name": "other", "sha256": "other"}),
        folded(tmp_path, "some", [[0, 2, 4], [1, 3, 5]], [1]),
        folded(tmp_path, "twice", [*EVEN, *HALVES], [1]),
        Row((Study(f := study(tmp_path, "none", [0.5, 0.75]), read(f)),)),
    ]
    for other in others:
        found = difference(a, other, "val/accuracy")
        assert found is not None
        assert "samples of" not in found.method
