"""How the search went, sentence by sentence, on literal trials."""

from literal_trials import record, trial, values
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from lightning_hpo.report.study import search


# Two pruned trials of 2 and 4 steps, longest 10: 8 + 6 epochs saved of 36.
def test_pruning_saves_against_the_longest_trial() -> None:
    pruned = [trial(n, steps=s, state=TrialState.PRUNED) for n, s in ((2, 2), (3, 4))]
    assert search.pruning_saved(record([*values(1.0, 2.0), *pruned])) == (
        "Pruning stopped 2 of 4 trials, half of them within 3 epochs, and saved 14 epochs: 26 "
        "were trained instead of 40 (35 % saved), counted against the longest trial's 10."
    )


def test_pruning_without_pruned_trials_or_values_is_said() -> None:
    assert search.pruning_saved(record(values(1.0))) == "No trial was pruned."
    silent = [trial(0, steps=0, state=TrialState.PRUNED)]
    assert "without intermediate values" in search.pruning_saved(record(silent))


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


def test_trials_after_a_forced_resume_are_said_not_to_compare():
    changed = "model.width (was 64, is 4)"
    mixed = record([trial(0), trial(1, forced_resume=changed), trial(2, forced_resume=changed)])
    assert search.mixtures(mixed) == [
        "Since trial 1 the study ran with other settings (study.force_resume): model.width (was 64,"
        " is 4). Do not compare values with those before."
    ]
    assert search.mixtures(record([trial(0)])) == []


# Rule: what a search gained over the configured values is said where one of its trials had them.
def test_how_the_configured_values_did_is_said():
    began = trial(0, 0.5, configured=["x"])
    assert search.beginning(record([began, trial(1, 0.3), trial(2, 0.4)])) == [
        "Trial 0 took the configured values and reached 0.5; number 1, the best of 3, reached 0.3."
    ]
    assert search.beginning(record([began, trial(1, 0.6)])) == [
        "Trial 0 took the configured values and is the best of 2."
    ]
    assert search.beginning(record(values(0.5, 0.3))) == []


def test_configured_values_that_were_not_all_taken_are_named():
    space = dict.fromkeys(("x", "y"), FloatDistribution(0, 1))
    params = {"x": 0.5, "y": 0.25}
    began = trial(0, 0.5, params=params, space=space, configured=["x"])
    assert search.beginning(record([began])) == [
        "Trial 0 took the configured values of x and is the best of 1."
    ]


# Rule: of a trial that was tried again the last try counts.
def test_configured_values_that_reached_nothing_are_said_so():
    failed = trial(0, state=TrialState.FAIL, configured=["x"])
    pruned = trial(1, state=TrialState.PRUNED, configured=["x"])
    running = trial(1, state=TrialState.RUNNING, configured=["x"])
    best, took = trial(2, 0.5), "took the configured values and"
    assert search.beginning(record([failed, trial(1), best])) == [f"Trial 0 {took} failed."]
    assert search.beginning(record([failed, pruned, best])) == [f"Trial 1 {took} was pruned."]
    assert search.beginning(record([failed, running, best])) == []


# Rule: that the last trial was the best one does not tell what more trials would find.
def test_a_best_trial_at_the_end_promises_nothing() -> None:
    assert search.progress(record(values(0.5, 0.3))) == [
        "The best trial, number 1, was also the last: nothing shows that the search had come to "
        "its end."
    ]
    assert search.progress(record(values(0.3, 0.5, 0.4))) == [
        "The best trial is number 0; the 2 trials after it found nothing better."
    ]
