"""The conclusions, sentence by sentence, on literal trials."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import results_of, some_trial

from lightning_hpo.report.study import again, asked, headline, search, sureness
from lightning_hpo.report.study.winner import borders
from lightning_hpo.results import readings, text
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record


def trial(
    number: int = 0,
    value: float | None = 1.0,
    *,
    steps: int = 10,
    state: TrialState = TrialState.COMPLETE,
    params: Mapping[str, Any] | None = None,
    space: Mapping[str, BaseDistribution] | None = None,
    **attributes: Any,
) -> FrozenTrial:
    made = create_trial(
        state=state,
        value=value if state is TrialState.COMPLETE else None,
        params=dict(params or {}),
        distributions=dict(space or {}),
        intermediate_values=dict.fromkeys(range(steps), 1.0),
        user_attrs=attributes,
    )
    made.number = number
    return made


def record(trials: list[FrozenTrial], **changes: Any) -> Record:
    results = results_of("a study", trials, final=True) | changes
    return Record(Path("studies/a"), results, tuple(trials), Importances({}, "none"))


def values(*values: float) -> list[FrozenTrial]:
    return [trial(number, value) for number, value in enumerate(values)]


def folds(mean: float, std: float) -> dict[str, Any]:
    fold = {"fold": 0, "val/loss": mean}
    return {"n_splits": 5, "folds": [fold], "val/loss_mean": mean, "val/loss_std": std}


# Within 5 % of the range's length of an end is the border, on the range's own scale.
@pytest.mark.parametrize(
    ("value", "distribution", "expected"),
    [
        (0.025, FloatDistribution(0.0, 0.5), True),
        (0.026, FloatDistribution(0.0, 0.5), False),
        (0.475, FloatDistribution(0.0, 0.5), True),
        # Three decades: the border is the first 0.15 of a decade, up to 1.41e-4.
        (1.4e-4, FloatDistribution(1e-4, 1e-1, log=True), True),
        (1.5e-4, FloatDistribution(1e-4, 1e-1, log=True), False),
        # The same value lies at the border of the same range taken linearly.
        (1.5e-4, FloatDistribution(1e-4, 1e-1), True),
        (128, IntDistribution(16, 128, step=8), True),
        (120, IntDistribution(16, 128, step=8), False),
        (1, IntDistribution(1, 2), False),  # of two values both are ends: that says nothing
        (3, IntDistribution(3, 3), False),
        ("SGD", CategoricalDistribution(["SGD", "Adam"]), False),
    ],
)
def test_border_is_judged_on_the_range_of_the_parameter(
    value: Any, distribution: BaseDistribution, expected: bool
) -> None:
    winner = trial(params={"p": value}, space={"p": distribution})
    assert bool(borders(winner)) is expected


def test_border_sentence_names_parameter_value_end_scale_and_way_out() -> None:
    winner = trial(params={"lr": 0.09}, space={"lr": FloatDistribution(1e-4, 1e-1, log=True)})
    assert borders(winner) == [
        "lr = 0.09 lies at the upper border of its range (0.0001 to 0.1) on its logarithmic "
        "scale: where values beyond 0.1 make sense, search a wider range."
    ]


# Two pruned trials of 2 and 4 steps, longest 10: 8 + 6 epochs saved of 36.
def test_pruning_saves_against_the_longest_trial() -> None:
    pruned = [trial(n, steps=s, state=TrialState.PRUNED) for n, s in ((2, 2), (3, 4))]
    assert search.pruning_saved(record([*values(1.0, 2.0), *pruned])) == (
        "Pruning stopped 2 of 4 trials, half of them within 3 epochs, and saved 14 epochs: 26 "
        "were trained instead of 40 (35 % saved), counted against the longest trial's 10."
    )


# Rule: a report stands for the epochs since the one before; the last step may be shorter.
@pytest.mark.parametrize(
    ("steps", "epochs"),
    [([], 0), ([0, 1, 2], 3), ([49], 50), ([49, 99, 149], 150), ([49, 99, 119], 120)],
)
def test_reports_stand_for_epochs(steps: list[int], epochs: int) -> None:
    reported = trial(steps=0)
    reported.intermediate_values = dict.fromkeys(steps, 1.0)
    assert readings.epochs_reported(reported) == epochs


def test_pruning_without_pruned_trials_or_values_is_said() -> None:
    assert search.pruning_saved(record(values(1.0))) == "No trial was pruned."
    silent = [trial(0, steps=0, state=TrialState.PRUNED)]
    assert "without intermediate values" in search.pruning_saved(record(silent))


def test_lead_within_the_folds_spread_is_no_clear_win() -> None:
    # 0.50 leads by 0.01; 0.51 and 0.54 lie within 0.05 of it, 0.60 does not.
    said = sureness.sureness(record(values(0.60, 0.54, 0.50, 0.51), cv=folds(0.52, 0.05)))[0]
    assert "leads the second by 0.01;" in said
    assert "standard deviation of 0.05, 5 times as much" in said
    assert "2 other trials lie within one standard deviation" in said


@pytest.mark.parametrize(
    ("std", "expected"), [(0.04, "a clear one"), (0.08, "a likely winner, not a certain one")]
)
def test_lead_beyond_the_folds_spread_is_a_win(std: float, expected: str) -> None:
    said = sureness.sureness(record(values(0.6, 0.5), cv=folds(0.5, std)))[0]
    assert expected in said


def test_best_value_far_better_than_the_folds_is_called_flattering() -> None:
    both = values(0.2, 0.5)
    assert "flatters the winner" in sureness.sureness(record(both, cv=folds(0.3, 0.05)))[1]
    assert "the folds confirm" in sureness.sureness(record(both, cv=folds(0.22, 0.05)))[1]
    # When maximizing, the folds' lower mean is the worse one.
    maximized = record(both, cv=folds(0.3, 0.05), direction="maximize")
    assert "flatters the winner" in sureness.sureness(maximized)[1]


@pytest.mark.parametrize(
    ("tested", "direction", "expected"),
    [
        (0.31, "minimize", "as expected"),
        (0.36, "minimize", "worse than the folds suggest, by 3.0"),
        (0.36, "maximize", "better than the folds suggest, by 3.0"),
    ],
)
def test_test_result_is_held_against_the_folds(
    tested: float, direction: str, expected: str
) -> None:
    study = record(
        values(0.3), cv=folds(0.3, 0.02), test={"test/loss": tested}, direction=direction
    )
    assert expected in sureness.sureness(study)[-1]


def test_without_cross_validation_nothing_is_claimed() -> None:
    assert sureness.sureness(record(values(1.0), cv=None)) == [
        "The winner was not cross-validated, so nothing is known about how much its value depends "
        "on the split of the data."
    ]


def test_failures_are_grouped_by_reason_most_frequent_first() -> None:
    failed = [
        trial(n, state=TrialState.FAIL, failure=reason)
        for n, reason in enumerate(["killed.", "NaN loss", "NaN loss"])
    ]
    failed[0].set_user_attr("retried", True)
    assert search.failures(record([*failed, trial(3, state=TrialState.FAIL)])) == [
        "2 trials failed (1, 2): NaN loss.",
        "1 trial failed (0): killed. Tried again: 1.",
        "1 trial failed (3): no reason recorded.",
    ]


def test_verdict_of_a_search_of_a_baseline_and_of_failures() -> None:
    assert headline.headline(record(values(0.31, 0.25))) == (
        "Trial 1 won with val/loss = 0.25, the lowest of 2 completed trials. Cross-validated on 5 "
        "folds, val/loss is 0.2888 ± 0.0087."
    )
    assert (
        headline.headline(record([], cv=None)) == "A baseline: fixed parameters, nothing searched."
    )
    failed = [trial(n, state=TrialState.FAIL) for n in range(2)]
    assert headline.headline(record(failed, cv=None)) == "No trial completed: of 2, 2 failed."


def test_conditional_parameters_are_those_that_only_some_trials_have() -> None:
    rng = random.Random(0)
    trials = [some_trial(number, rng) for number in range(20)]
    momentum = sum(t.params["optimizer"] == "SGD" for t in trials)
    assert readings.conditional_parameters(record(trials)) == {"optimizer.momentum": momentum}


def test_fixed_settings_are_short_texts_that_no_trial_contradicts() -> None:
    common = {"data": "digits", "slot": 1, "config": "x" * 200, "owner": "me"}
    trials = [trial(0, a="1", **common), trial(1, a="2", **common), trial(2)]
    assert asked.fixed_settings(record(trials)) == {"data": "digits"}


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (0.9012, 0.005, "0.9012 ± 0.0050"),
        (123.4, 17.0, "123 ± 17"),
        (0.5, 0.0, "0.5000 ± 0.0000"),
        (0.5, None, "0.5"),
    ],
)
def test_mean_and_deviation_share_their_decimals(
    mean: float, std: float | None, expected: str
) -> None:
    assert text.plus_minus(mean, std) == expected


def test_resume_command_replaces_the_total() -> None:
    command = "python -m lightning_hpo +experiment=x study.n_trials=100 'study.name=a b'"
    assert again.resume_command(command, total=100) == (
        "python -m lightning_hpo +experiment=x 'study.name=a b' study.n_trials=150"
    )


def test_trials_after_a_forced_resume_are_said_not_to_compare():
    changed = "model.width (was 64, is 4)"
    mixed = record([trial(0), trial(1, forced_resume=changed), trial(2, forced_resume=changed)])
    assert search.mixtures(mixed) == [
        "Since trial 1 the study ran with other settings (study.force_resume): model.width (was 64,"
        " is 4). Do not compare values with those before."
    ]
    assert search.mixtures(record([trial(0)])) == []
