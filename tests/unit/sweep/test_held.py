"""All jobs of a study hold the same samples out, or the study is refused."""

from typing import Any

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.sweep import held

BOX = {"data.lock_box": 0.1, "seed": 0}


@pytest.mark.parametrize(
    ("config", "final", "key"),
    [
        (BOX, {"data.lock_box": 0.2}, "data.lock_box"),
        (BOX, {"seed": 1}, "seed"),
        ({"seed": 0}, {"data.lock_box": 0.2}, "data.lock_box"),
        ({"study.nested": 5}, {"cv.groups": "patient"}, "cv.groups"),
        ({"study.nested": 5}, {"data.groups": "patient"}, "data.groups"),
    ],
)
def test_the_final_job_holds_out_what_the_search_does(
    config: dict[str, Any], final: dict[str, Any], key: str
) -> None:
    with pytest.raises(UserError, match=rf"^{key} decides which .* must have the same, got"):
        held.check_final(config.get, (config | final).get)


def test_other_differences_are_the_users_own(config: Any = BOX) -> None:
    held.check_final(config.get, (config | {"data.train_limit": None, "cv.n_splits": 3}).get)
    held.check_final({}.get, {"seed": 1}.get)
    assert held.holds(config.get) and not held.holds({"seed": 0}.get)


@pytest.mark.parametrize("name", ["data.lock_box", "+data.lock_box", "seed", "cv.stratified"])
def test_what_decides_the_box_is_not_searched(name: str) -> None:
    with pytest.raises(UserError, match="held out of all trials and cannot be searched; give it"):
        held.check_searched(["optimizer.lr", name], BOX.get)


def test_without_anything_held_out_a_seed_may_be_searched() -> None:
    held.check_searched(["seed"], {}.get)
    with pytest.raises(UserError, match=r"^data\.lock_box"):
        held.check_searched(["data.lock_box"], {}.get)


@pytest.mark.parametrize("n_folds", [1, 0, 2.5, True, "five"])
def test_a_nested_cross_validation_has_at_least_two_folds(n_folds: Any) -> None:
    with pytest.raises(UserError, match=rf"at least 2, or null .* study\.nested={n_folds}\.$"):
        held.check_nested({"study.nested": n_folds}.get)


@pytest.mark.parametrize(
    "key",
    [
        "study.storage",
        "hydra.sweeper.storage",
        "study.objectives",
        "study.final_trial",
        "study.replay",
    ],
)
def test_what_no_outer_fold_can_repeat_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=rf"but {key} \w.*; leave one of them out\.$"):
        held.check_nested({"study.nested": 5, key: "anything"}.get)
    held.check_nested({key: "anything"}.get)
    held.check_nested({"study.nested": 5, key: None}.get)
