"""The values over the trials and over the epochs of each, by literal trials."""

import random

from drawn_trials import record
from optuna.trial import TrialState, create_trial
from report_study import some_trial

from lightning_hpo.report.figures import history, parameters


def test_same_study_gives_the_same_bytes() -> None:
    rng = random.Random(0)
    study = record([some_trial(number, rng) for number in range(6)])
    assert history.history(study).data == history.history(study).data


def test_values_that_are_nan_are_drawn_at_the_edge() -> None:
    trial = create_trial(
        state=TrialState.PRUNED, intermediate_values={0: float("nan"), 1: float("nan")}
    )
    picture = history.intermediate_values(record([trial]))
    assert picture is not None
    assert picture.marks[0].label == "trial 0: nan, pruned after 2"


def test_nothing_reported_means_no_picture() -> None:
    assert history.intermediate_values(record([create_trial(value=1.0)])) is None
    assert parameters.importance_bars(record([create_trial(value=1.0)])) is None
