"""Which samples each fit of a study trains and validates on."""

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import splits


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(*overrides: str) -> DictConfig:
    told = ["data=digits", "cv.n_splits=4", "cv.val_fraction=0.25", "seed=7", *overrides]
    return compose("config", overrides=told)


# Rule: the study's seed decides who goes where, so that all trials compare.
def test_trials_validate_on_what_the_configuration_says() -> None:
    assert splits.search_split(composed(), 0) == Split("holdout", 4, 0, 0.25, True, 7)
    by_folds = composed("cv=kfold", "cv.n_splits=4", "cv.stratified=false")
    assert splits.search_split(by_folds, 3) == Split("kfold", 4, 3, 0.25, False, 7)


def test_a_fold_that_there_is_not_is_refused() -> None:
    with pytest.raises(UserError, match=r"fold must lie in \[0, 3\]"):
        splits.final_split(composed(), 4)


# Rule: the final job cross-validates whatever the search did; its refit trains on everything.
def test_the_final_job_has_folds_a_refit_and_a_holdout() -> None:
    cfg = composed()
    assert splits.final_split(cfg, 2) == Split("kfold", 4, 2, 0.25, True, 7)
    assert splits.final_split(cfg, None).method == "none"
    assert splits.holdout_split(cfg) == Split("holdout", 4, 0, 0.25, True, 7)


# Rule: the refit gives up training data only where something in it needs a validation.
def test_a_refit_validates_only_where_something_needs_it() -> None:
    free, watched = composed(), composed("+study.refit_validates=true")
    assert (splits.refit_validates(free), splits.refit_validates(watched)) == (False, True)
    assert splits.refit_split(free).method == "none"
    assert splits.refit_split(watched) == splits.holdout_split(watched)
    assert splits.refit_val_fraction(free) == 0.0
    assert splits.refit_val_fraction(watched) == 0.25


def foreign(*overrides: str) -> DictConfig:
    cfg = composed(*overrides)
    cfg.data = {"_target_": "pytorch_lightning.demos.boring_classes.BoringDataModule"}
    return cfg


# Rule: data that take no split are searched on their own validation part, and split for folds.
def test_data_of_the_users_own_keep_their_split_where_no_folds_are_asked_for() -> None:
    searched = foreign()
    assert splits.search_split(searched, 0).method == "own"
    assert splits.final_split(searched, 1).method == "kfold"
    assert splits.final_split(searched, None).method == "none"
    assert splits.holdout_split(searched).method == "holdout"
    without = foreign("cv.final=false")
    assert splits.final_split(without, None).method == "own"
    assert splits.holdout_split(without).method == "own"
    by_folds = foreign("cv=kfold", "cv.final=false")
    assert splits.search_split(by_folds, 1).method == "kfold"
    assert splits.final_split(by_folds, None).method == "none"


def test_data_that_keep_a_validation_part_of_their_own_lose_nothing() -> None:
    asked = "+study.refit_validates=true"
    assert splits.refit_val_fraction(foreign(asked, "cv.final=false")) == 0.0
    assert splits.refit_val_fraction(foreign(asked)) == 0.25


# Rule: what makes the folds reaches every split; a trial of before these keys has the usual ones.
def test_repeats_order_groups_and_labels_reach_the_split() -> None:
    split = splits.final_split(composed("cv.repeats=3", "cv.groups=who", "cv.labels=kind"), 11)
    assert (split.repeats, split.n_folds) == (3, 12)
    assert (split.groups, split.labels, split.order) == ("who", "kind", "shuffled")
    assert splits.search_split(composed("cv.method=time"), 0).order == "time"
    old = OmegaConf.create(OmegaConf.to_container(composed()))
    for key in ("repeats", "method", "groups", "labels", "eval_dataset"):
        del old.cv[key]
    assert splits.final_split(old, 2) == splits.final_split(composed(), 2)


# Rule: a round of a race has its own split and seeds, the same for every candidate.
def test_a_round_of_a_race_has_a_split_and_seeds_of_its_own() -> None:
    search, first, second = (
        composed(*told) for told in ((), ("study.race_round=0",), ("study.race_round=1",))
    )
    seeds = [splits.search_split(cfg, 0).seed for cfg in (search, first, second)]
    assert seeds[0] == 7 and len(set(seeds)) == 3
    assert splits.search_seed(first, 4, 0) == splits.search_seed(first, 9, 0)
    of_fits = [
        splits.search_seed(cfg, 4, fold) for cfg in (search, first, second) for fold in (0, 1)
    ]
    training = [splits.search_training_seed(cfg) for cfg in (first, second)]
    assert len({*seeds, *of_fits, *training}) == 11
    assert splits.search_training_seed(search) is None


def test_data_that_keep_their_split_are_not_split_anew() -> None:
    assert splits.race_is_split_anew(composed())
    assert splits.race_is_split_anew(foreign("cv=kfold"))
    assert not splits.race_is_split_anew(foreign())
    assert not splits.race_is_split_anew(composed("cv.method=time", "cv.stratified=false"))
