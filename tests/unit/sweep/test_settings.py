"""What a study's configuration means: fits of the final job, steps of a trial, verbosity."""

from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.display.progress import Steps
from lightning_hpo.sweep.search.loop import Limits
from lightning_hpo.sweep.settings import Settings


def settings(*, after_search: bool = True, **cv: object) -> Settings:
    config = {
        "study": {"final": after_search},
        "cv": {"n_splits": 4, "final": True} | cv,
    }
    return Settings(OmegaConf.create(config), 8, 0.5, is_study=True)


@pytest.mark.parametrize(
    ("cv", "fits", "rounds"),
    [
        ({}, 4, 3),  # two rounds of folds in two slots, then the refit
        ({"repeats": 2}, 8, 5),
        ({"final_holdout": True}, 5, 4),
        ({"final_holdout": True, "final": False}, 1, 2),
        ({"final": False}, 0, 1),
    ],
)
def test_the_fit_without_early_stopping_takes_a_place_among_the_folds(cv, fits, rounds):
    found = settings(**cv)
    assert found.final_fits == fits
    assert found.final_rounds(2) == rounds
    # Without trials the final job alone decides how many slots there are.
    assert found.slots(0) == max(fits, 1)


# Rule: trials that are fitted again, three at most, share rounds with the folds; with
# study.final=false none.
def test_shown_trials_take_places_among_the_folds():
    found = settings()
    found.config.study.showcase = True
    assert found.showcase and found.final_rounds(2) == 5  # four of folds and trials, a refit
    nothing = settings(after_search=False)
    nothing.config.study.showcase = True
    assert (nothing.showcase, nothing.final_rounds(2)) == (False, 0)


# Rule: several refits share rounds with the folds, but none with those that they wait for.
def test_several_refits_take_places_behind_the_folds():
    found = settings()
    found.config.study.n_refits = 3
    assert found.final_rounds(2) == 4  # of four folds and three refits
    assert found.final_rounds(8) == 2
    found.config.cv.final = False
    assert (found.final_rounds(2), found.slots(0)) == (2, 3)


# Rule: what the final job alone is told comes as overrides, and counts where folds are planned.
def test_the_final_job_may_differ_from_the_trials():
    found = settings()
    found.config.study.in_final = {
        "cv": {"n_splits": 3},
        "data": {"train_limit": None},
        "augment.mode": "append",
    }
    assert found.final_overrides == (
        "cv.n_splits=3",
        "data.train_limit=null",
        "augment.mode=append",
    )
    assert found.final_asked.n_folds == 3


def test_the_final_jobs_configuration_must_be_a_mapping():
    found = settings()
    found.config.study.in_final = "trainer.max_epochs=20"
    with pytest.raises(UserError, match=r"study.in_final must map keys to values"):
        _ = found.final_overrides


# Rule: a final fit costs by its epochs and its samples; a limit above what there is means all.
@pytest.mark.parametrize(
    ("in_final", "limit", "n_samples", "cost"),
    [
        ({}, None, 1000, 1.0),
        ({"trainer": {"max_epochs": 20}}, None, None, 2.5),
        ({"data": {"train_limit": None}}, 250, 1000, 4.0),
        ({"data": {"train_limit": None}}, 250, None, 1.0),
        ({"trainer": {"max_epochs": 16}, "data": {"train_limit": 5000}}, 500, 1000, 4.0),
        ({"trainer": {"max_epochs": -1}}, None, 1000, 1.0),
    ],
)
def test_what_a_final_fit_costs(in_final, limit, n_samples, cost):
    found = settings()
    found.config.study.in_final = in_final
    found.config.data, found.config.trainer = {"train_limit": limit}, {"max_epochs": 8}
    assert found.final_cost(n_samples) == cost
    found.config.cv.search = "kfold"  # of 4 folds
    assert found.final_cost(n_samples) == cost / 4


def test_without_a_final_job_nothing_is_fitted():
    found = settings(after_search=False, final_holdout=True)
    assert (found.final_fits, found.final_rounds(2)) == (0, 0)


WILCOXON = "optuna.pruners.WilcoxonPruner"


@pytest.mark.parametrize(
    ("cv", "pruner", "steps"),
    [
        ({"search": "holdout"}, None, Steps(8)),
        ({"search": "kfold"}, None, Steps(8, folds=4)),
        ({"search": "kfold"}, {"_target_": WILCOXON}, Steps(8, folds=4, by_fold=True)),
        # Stacked folds train side by side: a step is an epoch of all of them.
        ({"search": "kfold", "parallel": "stacked"}, None, Steps(8)),
    ],
)
def test_a_trial_reports_by_epoch_or_by_fold(cv, pruner, steps):
    found = settings(**cv)
    found.config.trainer = {"max_epochs": 8}
    found.config.pruner = pruner
    assert found.steps == steps


def test_the_verbosity_is_one_of_three():
    found = settings()
    assert found.verbosity == "normal"
    found.config.study.verbosity = "loud"
    with pytest.raises(UserError, match=r"quiet, normal, verbose, got study\.verbosity=loud"):
        found.check()


# Rule: a trial's GPUs must be there also where the number of slots is given.
def test_more_gpus_a_trial_than_there_are_is_a_mistake_for_any_number_of_slots(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    found = settings()
    found.config.study.gpus_per_trial = 2
    with pytest.raises(UserError, match=r"must not exceed the GPUs there are \(1\)"):
        found.slots(4)
    found.config.trainer = {"accelerator": "cpu"}
    assert found.slots(4) == 4


@pytest.mark.parametrize("rate", [2, -1, float("nan")])
def test_a_failure_rate_is_a_share(rate):
    found = replace(settings(), max_failure_rate=rate)
    with pytest.raises(UserError, match=r"max_failure_rate must lie in \[0, 1\], got"):
        found.check()


# Rule: another application's keys are its own, even where they have the names of ours.
def test_in_another_application_no_key_of_ours_is_read():
    config = {
        "mode": "train",
        "monitor": 3,
        "study": {
            **{"job": "x", "final": True, "enqueue": 5, "callbacks": 7, "timeout_s": 0},
            **{"gpus_per_trial": "many", "replay": "somewhere", "verbosity": "loud"},
            **{"max_retries": "none", "heartbeat_s": -1, "objectives": {"size": "up"}},
        },
        "trainer": {"max_epochs": -3},
        "cv": {"n_splits": 1, "final": True},
        "hydra": {"runtime": {"choices": {"model": "small"}}},
    }
    found = Settings(OmegaConf.create(config), 3, 0.0, is_study=False)
    found.check()
    assert found.directions() == ["minimize"]
    assert found.slots(8) == 3
    assert found.limits(4) == Limits(4, max_failure_rate=0.0, max_retries=1)
    assert (found.monitor, found.verbosity, found.heartbeat_s) == ("value", "normal", 10)
    assert (found.start_points, found.callbacks, found.replay) == ([], [], None)
    assert (found.final, found.final_fits, found.final_trial, found.steps) == (False, 0, None, None)
