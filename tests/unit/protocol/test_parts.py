"""The parts of a final job: which fits each has, what they wait for, how long they take."""

import pytest

from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.parts import (
    FOLDS,
    HOLDOUT,
    PARTS,
    REFITS,
    Asked,
    first_fits,
    rounds,
    told_value,
)


def folders(asked: Asked) -> dict[str, list[str]]:
    return {part.name: [fit.folder for fit in part.fits(asked)] for part in PARTS}


def test_each_part_has_the_fits_that_are_asked_for() -> None:
    asked = Asked(n_folds=2, holdout=True, n_refits=3, shown={"best": 4, "pruned": 7})

    assert folders(asked) == {
        "folds": ["fold_0", "fold_1"],
        "holdout": ["holdout"],
        "refits": ["refit", "refit_1", "refit_2"],
        "ensemble": ["ensemble"],
        "shown trials": ["showcase_best", "showcase_pruned"],
        "figure of the shown trials": ["showcase"],
    }


def test_by_default_there_is_one_refit() -> None:
    assert [name for name, found in folders(Asked()).items() if found] == ["refits"]


def test_a_part_waits_only_for_parts_before_it() -> None:
    """So that a walk through the list meets what must be done first."""
    names = [part.name for part in PARTS]
    for place, part in enumerate(PARTS):
        assert set(part.after) <= set(names[:place])
        assert part.only_for is None or part.only_for in names[place:]


def test_no_two_fits_share_a_folder() -> None:
    asked = Asked(n_folds=3, holdout=True, n_refits=2, shown={"best": 1})
    found = [folder for names in folders(asked).values() for folder in names]

    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("asked", "slots", "expected"),
    [
        # Two rounds of folds, then the refit on all cores.
        (Asked(n_folds=4), 2, 3),
        (Asked(n_folds=4), 8, 2),
        (Asked(n_folds=0), 4, 1),
        # Folds, a holdout and three shown trials share the slots.
        (Asked(n_folds=4, holdout=True, shown={"best": 0, "median": 1, "pruned": 2}), 2, 5),
        # Several refits share them too, but none with the folds that they wait for.
        (Asked(n_folds=4, n_refits=3), 2, 4),
        (Asked(n_folds=4, n_refits=3), 8, 2),
        (Asked(n_folds=0, n_refits=3), 2, 2),
    ],
)
def test_rounds_of_fits_that_follow_each_other(asked: Asked, slots: int, expected: int) -> None:
    assert rounds(asked, slots) == expected


def test_first_are_the_fits_that_wait_for_none() -> None:
    shown = {"best": 3}
    assert first_fits(Asked(n_folds=5, holdout=True, n_refits=2, shown=shown)) == 6
    assert first_fits(Asked(n_folds=0)) == 0


def test_a_part_that_did_not_run_is_null_in_the_results() -> None:
    assert FOLDS.summary([], "val/loss") == {"cv": None}
    assert HOLDOUT.summary([], "val/loss") == {"holdout": None}
    assert REFITS.summary([], "val/loss") == {
        "refits": [],
        "calibration": None,
        "data_description": None,
        "test": None,
        "test_std": None,
        "no_test": None,
    }


def test_a_single_fold_has_no_spread_and_is_no_cross_validation() -> None:
    assert FOLDS.summary([{"fold": 0}], "val/loss") == {"cv": None}


def test_results_are_found_where_the_fits_have_left_them(tmp_path) -> None:
    for name in ("fold_1", "fold_0", "refit_1", "refit", "holdout"):
        (tmp_path / name).mkdir()
    final = FinalFolder(tmp_path)

    assert [folder.path.name for folder in FOLDS.folders(final)] == ["fold_0", "fold_1"]
    assert [folder.path.name for folder in HOLDOUT.folders(final)] == ["holdout"]
    assert [folder.path.name for folder in REFITS.folders(final)] == ["refit", "refit_1"]


def test_a_fit_is_told_by_its_validation_else_by_its_test() -> None:
    assert told_value({"value": 0.25, "test": {"test/loss": 0.5}}, "val/loss") == ("val/loss", 0.25)
    assert told_value({"test": {"test/loss": 0.5}}, "val/loss") == ("test/loss", 0.5)
    assert told_value({"test": {"test/accuracy": 0.5}}, "val/loss") is None
    assert told_value({"test": None}, "val/loss") is None
