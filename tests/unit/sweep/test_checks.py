"""What a study's configuration must satisfy before anything runs, by the command's own checks."""

import re

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.checks import check_direction
from lightning_hpo.sweep.settings import Settings


def settings() -> Settings:
    config = {"study": {"final": True}, "cv": {"n_splits": 4, "final": True}}
    return Settings(OmegaConf.create(config), 8, 0.5, is_study=True)


@pytest.mark.parametrize(
    ("in_final", "message"),
    [
        ({"cv": {"n_splits": 1}}, r"cv\.n_splits must be an integer of at least 2"),
        ({"cv": {"repeats": 0}}, r"cv\.repeats must be an integer of at least 1"),
        ({"trainer": {"max_epochs": "twenty"}}, r"max_epochs=twenty"),
    ],
)
def test_a_mistake_in_what_the_final_job_is_told_is_found_before_the_search(in_final, message):
    found = settings()
    found.config.study.in_final = in_final
    with pytest.raises(UserError, match=message):
        found.check()


# Rule: what a study cannot do with its fits is said before anything is prepared.
@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"max_epochs": None}, r"got trainer.max_epochs=null; give it a large one where"),
        ({"max_steps": 6}, r"got trainer.max_epochs=null"),
        ({"max_epochs": -1}, r"got trainer.max_epochs=-1; give it"),
        ({"max_epochs": 2, "devices": 2}, r"strategy that spawns or forks"),
        ({"max_epochs": 2, "devices": [0, 1]}, r"strategy that spawns or forks"),
        ({"max_epochs": 2, "fast_dev_run": True}, r"trainer.fast_dev_run=True leaves out"),
    ],
)
def test_a_trainer_that_no_study_can_use(trainer, message):
    found = settings()
    found.config.trainer = {"accelerator": "cpu", **trainer}
    with pytest.raises(UserError, match=message):
        found.check()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("final_epochs", 0, "study.final_epochs must be an integer of at least 1"),
        ("n_trials", -1, "study.n_trials must be an integer of at least 0, got study.n_trials=-1"),
        ("final_trial", "best", "study.final_trial must be an integer of at least 0"),
        ("final_trial", True, "study.final_trial must be an integer"),
        ("race", "yes", "study.race must be auto, true or false, got study.race=yes"),
        ("race", None, "study.race must be auto, true or false"),
        ("timeout_s", 0, r"study.timeout_s must be a number of seconds above 0.*study.timeout_s=0"),
        ("trial_timeout_s", "1h", "study.trial_timeout_s must be a number of seconds"),
        ("objectives", ["seconds"], "study.objectives must map metrics to directions"),
    ],
)
def test_a_key_of_the_study_must_make_sense_before_anything_runs(key, value, message):
    found = settings()
    found.config.study[key] = value
    with pytest.raises(UserError, match=message):
        found.check()


@pytest.mark.parametrize("devices", [1, "1", "auto", [0], None])
def test_one_device_however_it_is_written(devices):
    found = settings()
    found.config.trainer = {"accelerator": "cpu", "max_epochs": 2, "devices": devices}
    found.check()


# Rule: mode says the monitor's direction; the plugin's own key may repeat it and not contradict.
@pytest.mark.parametrize(
    ("asked", "mode", "objectives"),
    [
        (None, "max", {}),
        ("maximize", "max", {}),
        ("minimize", "min", {"seconds": "minimize"}),
        (["minimize", "maximize"], "min", {"val/acc": "maximize"}),
    ],
)
def test_a_direction_that_agrees_with_mode_is_accepted(asked, mode, objectives):
    found = settings()
    found.config.mode, found.config.study.objectives = mode, objectives
    check_direction(asked, found.directions())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("maximize", r"is minimize, got hydra.sweeper.direction=maximize; .*mode=max"),
        (["minimize", "maximize"], r"one for each of study.objectives, got .*=minimize, maximize"),
        (["maximize"], "mode=max"),
        ("up", "must be minimize or maximize, got hydra.sweeper.direction=up"),
    ],
)
def test_a_direction_that_contradicts_mode_is_refused(asked, message):
    with pytest.raises(UserError, match=message):
        check_direction(asked, settings().directions())


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("seed", None, "seed must be an integer from 0 to 4294967295, got seed=null."),
        ("seed", -1, "got seed=-1."),
        ("seed", "text", "got seed=text."),
        ("seed", True, "got seed=True."),
        ("seed", 2**32, "got seed=4294967296."),
        ("monitor", None, "monitor must name a metric that is logged, got monitor=null."),
    ],
)
def test_seed_and_monitor_are_checked_before_anything_starts(key, value, rule):
    found = settings()
    found.config[key] = value
    with pytest.raises(UserError, match=re.escape(rule)):
        found.check()


# Rule: a fit that would never be validated is refused before anything trains; the same in the
# final job.
@pytest.mark.parametrize("in_final", [False, True])
def test_a_fit_is_validated_at_least_once(in_final: bool):
    found = settings()
    found.config.trainer = {"max_epochs": 2, "check_val_every_n_epoch": 2}
    found.config.study.n_jobs = 1
    found.check()
    if in_final:
        found.config.study.in_final = {"trainer": {"max_epochs": 1}}
    else:
        found.config.trainer.max_epochs = 1
    with pytest.raises(UserError, match=r"check_val_every_n_epoch=2 with trainer.max_epochs=1"):
        found.check()
