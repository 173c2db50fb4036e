"""Comparison of studies: literal intervals, which test is taken when, and one-line mistakes."""

import json
from math import inf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lightning_hpo.compare import (
    Row,
    Study,
    compare,
    difference,
    interval,
    main,
    paired,
    rows_of,
    welch,
)

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
    a, b = study(tmp_path, "a", SMALL), study(tmp_path, "b", [0.91, 0.92, 0.93])
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
            study(tmp_path, f"{name}_{s}", [0.9 + s * 0.01 + gain] * 2, seed=s, command=command)
            for s in range(3)
        ]

    rows = rows_of([read(f) for f in (*under_seeds("a", 0.0), *under_seeds("b", 0.002))])
    found = difference(*rows, "val/accuracy")
    assert found is not None
    assert found.method == "paired over 3 equal seeds (t)"
    assert (found.mean, found.within_noise) == (pytest.approx(-0.002), False)


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
    assert "-" in compare([one, bare]).splitlines()[2]
