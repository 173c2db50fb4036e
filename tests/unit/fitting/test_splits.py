"""Which samples each fit of a study trains and validates on."""

from collections.abc import Iterator

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.data.folds import Split, set_apart, split_indices
from lightning_hpo.data.held import Held
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


# Rule: the further fit's validation samples are drawn anew, not those that chose the winner, but in
# the order of time and in data that keep their own split, where there are no others.
def test_the_further_fit_has_a_split_of_its_own() -> None:
    cfg = composed()
    assert splits.holdout_split(cfg) == Split("holdout", 4, 0, 0.25, True, 7, draw=1)
    search, own = splits.search_split(cfg, 0), splits.holdout_split(cfg)
    val = [split_indices(split, 40)[1].tolist() for split in (search, own)]
    assert len(val[0]) == len(val[1]) == 10 and val[0] != val[1]
    in_time = composed("cv.method=time")
    search, own = splits.search_split(in_time, 0), splits.holdout_split(in_time)
    assert all(map(torch.equal, split_indices(search, 40), split_indices(own, 40)))
    new = [splits.holdout_is_new(c) for c in (cfg, in_time, foreign(), foreign("cv.final=false"))]
    assert new == [True, False, True, False]


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


# Rule: one lock box for all jobs of a study; data that keep their split are split by us then.
def test_every_split_of_a_study_leaves_out_its_lock_box() -> None:
    for cfg in (composed("data.lock_box=0.2"), foreign("cv.final=false")):
        OmegaConf.update(cfg, "data.lock_box", 0.2, force_add=True)
        found = [splits.search_split(cfg, 0), splits.refit_split(cfg), splits.holdout_split(cfg)]
        assert [split.held for split in found] == [Held(lock_box=0.2, seed=cfg.seed)] * 3
        assert [split.method for split in found] == ["holdout", "none", "holdout"]


# Rule: what splits anew, as a round of a race and the further fit do, has the same box.
def test_a_race_leaves_the_lock_box_and_the_outer_fold_shut() -> None:
    told = ("data.lock_box=0.2", "+study.outer_fold=1", "+study.outer_folds=4")
    cfgs = [composed(*told), *(composed(*told, f"study.race_round={k}") for k in (0, 1))]
    of_rounds = [splits.search_split(cfg, 0) for cfg in cfgs]
    found = [set_apart(split, 60) for split in (*of_rounds, splits.holdout_split(cfgs[0]))]
    assert len(found[0].lock_box) == 12 and len(found[0].outer) == 12
    for apart in found[1:]:
        assert apart.lock_box.tolist() == found[0].lock_box.tolist()
        assert apart.outer.tolist() == found[0].outer.tolist()
    validated = {tuple(split_indices(split, 60)[1].tolist()) for split in of_rounds}
    assert len(validated) == 3


def test_a_study_of_an_outer_fold_tests_on_it() -> None:
    cfg = composed("data.lock_box=0.2", "+study.outer_fold=1", "+study.outer_folds=4")
    assert splits.held(cfg) == Held(0.2, n_outer=4, outer=1, tested="outer", seed=7)
