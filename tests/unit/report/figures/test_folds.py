"""The folds' values beside the best trials' and the test set's, by literal values."""

from literal_trials import record, values

from lightning_hpo.report.figures.folds import fold_spread


def folds(*found: float, mean: float, std: float) -> dict[str, object]:
    listed = [{"fold": k, "val/loss": value} for k, value in enumerate(found)]
    return {"folds": listed, "val/loss_mean": mean, "val/loss_std": std}


CV = folds(0.25, 0.5, 0.75, mean=0.5, std=0.25)


def test_folds_best_trials_and_the_test_set_have_a_row_each() -> None:
    picture = fold_spread(record(values(0.5, 0.75, 0.625), cv=CV))
    assert picture is not None
    assert picture.alt == (
        "val/loss on one scale: 3 folds, 3 best trials, test set. The folds reach 0.50 ± 0.25."
    )
    assert "the lead of the best trial" in picture.caption


# Rule: what there is not has no row.
def test_without_trials_or_a_test_only_the_folds_are_shown() -> None:
    picture = fold_spread(record([], cv=CV, test=None))
    assert picture is not None
    assert ": 3 folds. The folds reach" in picture.alt
    assert picture.caption.startswith("The folds' spread. ")


def test_without_folds_there_is_no_picture() -> None:
    assert fold_spread(record(values(1.0, 2.0), cv=None)) is None
    nothing = {"folds": [], "val/loss_mean": 0.5, "val/loss_std": 0.1}
    assert fold_spread(record(values(1.0), cv=nothing)) is None


# Rule: ten trials at most, and none more than five deviations behind the best.
def test_trials_far_behind_the_best_do_not_shrink_the_folds() -> None:
    near = fold_spread(record(values(0.5, 1.75, 1.76, 100.0), cv=CV, test=None))
    assert near is not None
    assert "3 folds, 2 best trials." in near.alt
    many = fold_spread(record(values(*[0.5 + n / 100 for n in range(12)]), cv=CV, test=None))
    assert many is not None
    assert "3 folds, 10 best trials." in many.alt
