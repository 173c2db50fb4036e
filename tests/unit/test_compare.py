"""Comparison of studies: literal intervals, which test is taken when, and one-line mistakes."""

import json
from math import inf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lightning_hpo.compare import comparison, main
from lightning_hpo.results.samples import (
    Row,
    Study,
    counterpart_on_test,
    difference,
    metrics_of,
    read_studies,
    rows_of,
)
from lightning_hpo.results.statistics import interval, paired, welch

SMALL = [0.90, 0.91, 0.92]
T_2 = 4.302652729911275  # 97.5 % of Student's t with 2 degrees of freedom


def study(
    root: Path,
    name: str,
    folds: list[float],
    *,
    seed: int = 0,
    test: float | None = 0.9,
    **more: Any,
) -> Path:
    """A folder as a study leaves it, as far as comparisons look at it."""
    folder = root / name
    folder.mkdir()
    results = {
        "study_name": name,
        "monitor": "val/loss",
        "direction": "minimize",
        "trials": {"total": 10},
        "best": None,
        "cv": {"folds": [{"fold": k, "val/accuracy": v} for k, v in enumerate(folds)]},
        "test": None if test is None else {"test/accuracy": test},
        "data": {"name": "digits", "sha256": "abc"},
        "seed": seed,
        "seconds": {"search": 100.0, "final": 20.0},
        "command": f"python -m lightning_hpo +experiment=x study.name={name} seed={seed}",
    } | more
    for k in range(len(folds)):
        (folder / f"final/fold_{k}").mkdir(parents=True)
        np.savez(folder / f"final/fold_{k}/fold_indices.npz", val=np.arange(k + seed, k + seed + 5))
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def read(folder: Path) -> Study:
    return Study(folder, json.loads((folder / "results.json").read_text()))


def test_an_interval_over_seeds_is_students() -> None:
    # Standard deviation 0.01, standard error 0.01 / sqrt(3).
    low, high = interval(SMALL, folds=False)
    assert (low, high) == pytest.approx((0.91 - T_2 * 0.01 / sqrt(3), 0.91 + T_2 * 0.01 / sqrt(3)))


def test_an_interval_over_folds_is_wider_for_their_overlap() -> None:
    # 1/3 + 1/2 in place of 1/3.
    low, high = interval(SMALL, folds=True)
    assert high - low == pytest.approx(2 * T_2 * 0.01 * sqrt(1 / 3 + 1 / 2))


def test_one_value_says_nothing_about_its_spread() -> None:
    assert interval([0.9], folds=False) == (-inf, inf)


def test_pairing_sees_a_small_difference_that_all_folds_share() -> None:
    better = [value + shift for value, shift in zip(SMALL, (0.004, 0.005, 0.006), strict=True)]
    close = paired(better, SMALL, folds=True)
    assert close.mean == pytest.approx(0.005)
    assert close.high - close.mean == pytest.approx(T_2 * 0.001 * sqrt(5 / 6))
    assert not close.within_noise
    assert welch(better, SMALL, folds=(True, True)).within_noise


def test_welch_is_scipys() -> None:
    a, b = [0.90, 0.91, 0.95, 0.92], [0.88, 0.90, 0.87]
    oracle = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    found = welch(a, b, folds=(False, False))
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


def test_the_same_folds_are_paired_and_others_are_not(tmp_path: Path) -> None:
    a, b = study(tmp_path, "a", SMALL), study(tmp_path, "b", [0.91, 0.92, 0.94])
    other = study(tmp_path, "other", [0.91, 0.92, 0.93], seed=5)
    rows = [Row((read(folder),)) for folder in (a, b, other)]
    same = difference(rows[0], rows[1], "val/accuracy")
    assert same is not None
    assert same.method.startswith("paired over 3 identical folds")
    different = difference(rows[0], rows[2], "val/accuracy")
    assert different is not None
    assert different.method == "unpaired, 3 and 3 (Welch)"


def test_one_test_value_each_cannot_be_told_from_noise(tmp_path: Path) -> None:
    rows = [Row((read(study(tmp_path, name, SMALL)),)) for name in "ab"]
    found = difference(*rows, "test/accuracy")
    assert found is not None
    assert (found.low, found.method) == (-inf, "one value has no spread")


def refits(seeds: list[int], accuracies: list[float]) -> dict[str, Any]:
    """What the final job leaves of several networks."""
    found = [
        {"seed": seed, "epochs": 3, "test": {"test/accuracy": accuracy}, "seconds": 1.0}
        for seed, accuracy in zip(seeds, accuracies, strict=True)
    ]
    return {"refits": found, "test": sum(accuracies) / len(accuracies)}


# Rule: refits of one study are values over seeds on the test set; validation stays per fold.
def test_each_refit_is_a_test_value(tmp_path: Path) -> None:
    row = Row((read(study(tmp_path, "a", [0.8, 0.9], **refits([11, 12, 13], SMALL))),))
    assert row.values("test/accuracy") == SMALL
    assert row.values("val/accuracy") == [0.8, 0.9]
    assert row.seeds("test/accuracy") == [11, 12, 13]
    assert row.seeds("val/accuracy") == []


# Rule: the interval over refits is Student's, without the correction for overlapping folds.
def test_the_interval_over_refits_is_printed(tmp_path: Path) -> None:
    a = study(tmp_path, "a", [], cv=None, **refits([11, 12, 13], SMALL))
    b = study(tmp_path, "b", [], cv=None, **refits([11, 12, 13], SMALL))
    # 0.91 -+ T_2 * 0.01 / sqrt(3) = 0.91 -+ 0.0248
    assert "0.9100 ± 0.0100 [0.8852, 0.9348]" in comparison([a, b]).splitlines()[1]


# Rule: refits of equal seeds are paired, which sees a small difference that all of them share.
def test_refits_of_equal_seeds_are_paired(tmp_path: Path) -> None:
    less = [0.895, 0.906, 0.914]  # 0.005, 0.004 and 0.006 below
    a = Row((read(study(tmp_path, "a", SMALL, **refits([11, 12, 13], SMALL))),))
    b = Row((read(study(tmp_path, "b", SMALL, **refits([11, 12, 13], less))),))
    found = difference(a, b, "test/accuracy")
    assert found is not None
    assert found.method == "paired over 3 refits of equal seeds (t)"
    assert found.mean == pytest.approx(0.005)
    assert found.high == pytest.approx(0.005 + T_2 * 0.001 / sqrt(3))
    assert not found.within_noise


# Rule: refits of other seeds, or another number of them, are independent samples.
@pytest.mark.parametrize(
    ("seeds", "accuracies", "method"),
    [
        ([11, 12, 14], [0.895, 0.906, 0.914], "unpaired, 3 and 3 (Welch)"),
        ([11, 12], [0.895, 0.906], "unpaired, 3 and 2 (Welch)"),
        ([11], [0.895], "one value has no spread"),
    ],
)
def test_other_refits_are_not_paired(
    tmp_path: Path, seeds: list[int], accuracies: list[float], method: str
) -> None:
    a = Row((read(study(tmp_path, "a", SMALL, **refits([11, 12, 13], SMALL))),))
    b = Row((read(study(tmp_path, "b", SMALL, **refits(seeds, accuracies))),))
    found = difference(a, b, "test/accuracy")
    assert found is not None
    assert (found.method, found.within_noise) == (method, True)


# Rule: a row over seeds counts the mean over a study's refits as one value, paired by the seeds.
def test_refits_under_several_seeds_are_averaged_in_each(tmp_path: Path) -> None:
    def under_seeds(name: str, means: list[float]) -> Row:
        found = [
            study(
                tmp_path,
                f"{name}_{seed}",
                SMALL,
                seed=seed,
                command=f"python -m lightning_hpo +experiment={name}",
                **refits([seed, seed + 100], [mean - 0.02, mean + 0.02]),
            )
            for seed, mean in enumerate(means)
        ]
        (row,) = rows_of([read(folder) for folder in found])
        return row

    a, b = under_seeds("a", SMALL), under_seeds("b", [0.90, 0.912, 0.924])
    assert a.values("test/accuracy") == pytest.approx(SMALL)
    found = difference(a, b, "test/accuracy")
    assert found is not None
    assert found.method == "paired over 3 equal seeds (t)"
    assert found.mean == pytest.approx(-0.002)


# Rule: a row over seeds is named by what its studies' names have in common.
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cnn_seed0", "cnn_seed1"], "cnn (2 seeds)"),
        (["cnn_seed10", "cnn_seed11"], "cnn (2 seeds)"),
        (["cnn", "cnn"], "cnn (2 seeds)"),
        (["mlp_2", "mlp_2"], "mlp_2 (2 seeds)"),
        (["a", "b"], "a (2 seeds)"),
    ],
)
def test_a_row_over_seeds_has_a_short_name(names: list[str], expected: str) -> None:
    studies = [Study(Path(name), {"study_name": name}) for name in names]
    assert Row(tuple(studies)).name == expected


# Rule: equal values, or equal differences, have no spread that a test could judge by.
def test_values_without_spread_cannot_be_told_from_noise() -> None:
    same, other = [0.9, 0.9, 0.9], [0.8, 0.8, 0.8]
    found = [
        welch(same, other, folds=(False, False)),
        paired(same, other, folds=False),
        paired(SMALL, [0.89, 0.90, 0.91], folds=True),
    ]
    assert [difference.low for difference in found] == [-inf] * 3
    assert found[0].method == "the values of each have no spread"
    assert found[1].method == "all 3 differences are equal"


# Rule: rows of one name are told apart by their folders; a folder named twice is one study.
def test_rows_have_names_of_their_own(tmp_path: Path) -> None:
    a = study(tmp_path, "a", SMALL, study_name="study", command="x")
    b = study(tmp_path, "b", SMALL, study_name="study", command="y")
    names = [row.name for row in rows_of(read_studies([a, b, tmp_path / "b" / ".." / "a"]))]
    assert names == [f"study in {a}", f"study in {b}"]


def test_folders_that_differ_only_in_the_seed_are_one_row(tmp_path: Path) -> None:
    folders = [
        study(tmp_path, f"x_{seed}", [0.9 + seed / 100, 0.92], seed=seed, test=0.9 + seed / 100)
        for seed in (2, 0, 1)
    ]
    more = study(tmp_path, "more", SMALL, command="python -m lightning_hpo +experiment=y seed=0")
    row, alone = rows_of([read(folder) for folder in (*folders, more)])
    assert [s.results["seed"] for s in row.studies] == [0, 1, 2]
    assert row.values("val/accuracy") == pytest.approx([0.91, 0.915, 0.92])
    assert row.values("test/accuracy") == pytest.approx([0.90, 0.91, 0.92])
    assert alone.name == "more"


def test_rows_of_the_same_seeds_are_paired_by_seed(tmp_path: Path) -> None:
    def under_seeds(name: str, gain: float) -> list[Path]:
        command = f"python -m lightning_hpo +experiment={name}"
        return [
            study(
                tmp_path,
                f"{name}_{s}",
                [0.9 + s * (0.01 + gain / 100) + gain] * 2,
                seed=s,
                command=command,
            )
            for s in range(3)
        ]

    rows = rows_of([read(f) for f in (*under_seeds("a", 0.0), *under_seeds("b", 0.002))])
    found = difference(*rows, "val/accuracy")
    assert found is not None
    assert found.method == "paired over 3 equal seeds (t)"
    assert (found.mean, found.within_noise) == (pytest.approx(-0.00202), False)


def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = study(tmp_path, "a", SMALL, test=0.905)
    b = study(tmp_path, "b", [0.89, 0.93, 0.92], command="another", test=0.91)
    assert main([str(a), str(b)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["study", "trials", "seconds", "val/accuracy", "test/accuracy"]
    assert lines[1].split()[:6] == ["a", "10", "120", "0.9100", "±", "0.0100"]
    assert lines[1].split()[-1] == "0.9050"
    assert "val/accuracy: a - b = -0.0033" in lines[5]
    assert "within noise; paired over 3 identical folds" in lines[5]
    assert lines[6].endswith("cannot tell from noise, one value has no spread")


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = study(tmp_path, "one", SMALL)
    bare = study(tmp_path, "bare", [], cv=None, test=None)
    cases = {
        (one,): "needs two different study folders, got 1",
        (one, one): "needs two different study folders, got 1",
        (one, tmp_path / "none"): "none, which has none",
    }
    for folders, message in cases.items():
        assert main([str(folder) for folder in folders]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert "-" in comparison([one, bare]).splitlines()[2]


# Rule: what a metric is of, folds or tests, is where it stands in the results, not its name.
def test_metrics_of_any_name_are_compared(tmp_path):
    def folds(*values):
        return {"folds": [{"fold": k, "epochs": 3, "my": v} for k, v in enumerate(values)]}

    one = study(tmp_path, "one", SMALL, cv=folds(0.5, 0.25, 0.75), test=None, refits=[])
    tests = {"acc_test": 0.5, "my": 0.125}
    refits = [{"seed": seed, "test": tests} for seed in (1, 2)]
    other = study(tmp_path, "other", SMALL, cv=folds(0.5, 0.5, 0.5), refits=refits)
    found = json.loads((other / "results.json").read_text()) | {"test": tests}
    (other / "results.json").write_text(json.dumps(found))

    a, b = rows_of(read_studies([one, other]))
    assert metrics_of([a, b]) == ["my", "acc_test", "my on the test set"]
    assert (b.values("my"), b.values("my on the test set")) == ([0.5] * 3, [0.125] * 2)
    assert (b.over_folds("my"), b.over_folds("acc_test")) == (True, False)
    assert b.seeds("acc_test") == [1, 2]
    assert counterpart_on_test([a, b], "val_acc") == "acc_test"
    assert counterpart_on_test([a, b], "my") == "my on the test set"
    assert counterpart_on_test([a], "my") is None


def test_a_study_without_a_test_is_named(tmp_path):
    one = study(tmp_path, "one", SMALL, test=None, no_test="Net has no test_step")
    other = study(tmp_path, "other", SMALL)
    assert comparison([one, other]).splitlines()[-1] == "one has no test: Net has no test_step"
