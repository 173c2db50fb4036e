"""Which values of studies are compared, and how they are paired."""

import json
from math import inf, sqrt
from pathlib import Path

import pytest
from study_folders import SMALL, T_2, refits, study

from lightning_hpo.results.rows import read_studies, rows_of
from lightning_hpo.results.samples import (
    Row,
    Study,
    counterpart_on_test,
    difference,
    differences,
    metrics_of,
    reach_of_intervals,
)


def read(folder: Path) -> Study:
    return Study(folder, json.loads((folder / "results.json").read_text()))


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


# Rule: refits of one study are values over seeds on the test set; validation stays per fold.
def test_each_refit_is_a_test_value(tmp_path: Path) -> None:
    row = Row((read(study(tmp_path, "a", [0.8, 0.9], **refits([11, 12, 13], SMALL))),))
    assert row.values("test/accuracy") == SMALL
    assert row.values("val/accuracy") == [0.8, 0.9]
    assert row.seeds("test/accuracy") == [11, 12, 13]
    assert row.seeds("val/accuracy") == []


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


# Rule: three pairs are judged together, so that 0.004 of (0.9, 0.91, 0.92) is noise, which alone
# it is not.
def test_pairs_are_judged_together(tmp_path: Path) -> None:
    def row(name: str, less: tuple[float, float, float]) -> Row:
        accuracies = [value - by for value, by in zip(SMALL, less, strict=True)]
        return Row((read(study(tmp_path, name, SMALL, **refits([1, 2, 3], accuracies))),))

    a, b = row("a", (0, 0, 0)), row("b", (0.003, 0.004, 0.005))
    # Far from both, but never by the same: 0.1 and more of spread.
    c = row("c", (0.1, 0.3, -0.1))
    alone = difference(a, b, "test/accuracy")
    assert alone is not None
    together = differences([a, b, c], "test/accuracy")
    assert [(x.name, y.name) for x, y, _ in together] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert (alone.within_noise, together[0][2].within_noise) == (False, True)
    assert differences([a, b], "test/accuracy")[0][2] == alone
    assert differences([a, b], "val/loss") == []


# Rule: in each repeat all samples take turns; four folds of two repeats each validate on as many
# samples as they train on.
def test_the_overlap_of_folds_is_that_of_one_repeat(tmp_path: Path) -> None:
    repeated = {"folds": [{"fold": k, "val/loss": 0.1 * k} for k in range(4)], "repeats": 2}
    row = Row((read(study(tmp_path, "a", SMALL, cv=repeated)),))
    assert (row.overlap("val/loss"), row.overlap("test/accuracy")) == (1.0, 0.0)
    assert Row((read(study(tmp_path, "b", SMALL)),)).overlap("val/accuracy") == 1 / 2


# Rule: it is said of what intervals are, once for each kind.
def test_of_what_intervals_are(tmp_path: Path) -> None:
    studies = [read(study(tmp_path, f"s{seed}", SMALL, seed=seed)) for seed in range(2)]
    metrics = ["val/accuracy", "test/accuracy"]

    def kinds(*rows: Row) -> list[str]:
        return [words.partition(":")[0] for words in reach_of_intervals(rows, metrics)]

    alone = [Row((found,)) for found in studies]
    assert kinds(*alone) == ["over folds", "over refits"]
    assert kinds(Row(tuple(studies))) == ["over seeds"]


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
