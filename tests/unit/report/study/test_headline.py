"""The first sentence of a report, on literal trials."""

from literal_trials import record, trial, values
from optuna.trial import TrialState
from rare_class import rare_yes

from lightning_hpo.report.study import headline
from lightning_hpo.results.results import TrivialModels, TrivialOfValues


def test_verdict_of_a_search_of_a_baseline_and_of_failures() -> None:
    assert headline.headline(record(values(0.31, 0.25))) == (
        "Trial 1 won with val/loss = 0.25, the lowest of 2 completed trials. Cross-validated on 5 "
        "folds, val/loss is 0.2888 ± 0.0087, mean and standard deviation."
    )
    assert (
        headline.headline(record([], cv=None)) == "A baseline: fixed parameters, nothing searched."
    )
    failed = [trial(n, state=TrialState.FAIL) for n in range(2)]
    assert headline.headline(record(failed, cv=None)) == "No trial completed: of 2, 2 failed."


WON = "Trial 0 won with val/loss = 0.25, the lowest of 1 completed trial."


def said(trivial: TrivialModels | None) -> str:
    return headline.headline(record(values(0.25), cv=None, trivial=trivial))


# Rule: 9 % are "yes", none of which is recognised, and the accuracy lies below the share of "no".
def test_a_network_below_the_majority_is_not_praised_first() -> None:
    assert said(rare_yes(6, 0)) == (
        "The network is worse than always saying no, an accuracy of 0.88 against 0.91 on 200 test"
        f" samples; no sample of yes (18 samples) is recognised. {WON}"
    )
    assert said(rare_yes(0, 4)) == (
        "Nothing shows that the network is better than always saying no, an accuracy of 0.93"
        f" against 0.91 on 200 test samples. {WON}"
    )


def test_a_better_network_comes_first_and_what_it_misses_after_it() -> None:
    assert said(rare_yes(0, 18)) == WON
    better = rare_yes(0, 18)
    assert better["test"] is not None and better["test"]["kind"] == "classes"
    better["test"]["recall"] = dict.fromkeys("abcde", 0.0)
    better["test"]["counts"] = dict.fromkeys("abcde", 1)
    missed = "a (1 sample), b (1 sample), c (1 sample) and 2 more"
    assert said(better) == f"{WON} No sample of {missed} is recognised."


# Rule: without a test the folds are what is known.
def test_a_regressor_is_held_against_the_mean() -> None:
    found: TrivialOfValues = {
        "kind": "values",
        "n": 40,
        "verdict": "worse",
        "says": 3.0,
        "error": 1.5,
        "error_of_mean": 1.25,
        "r2": -0.2,
        "metric": "val/loss",
    }
    assert said({"test": None, "folds": found}) == (
        "The network is worse than always saying the mean, a mean squared error of 1.5 against"
        f" 1.25 on 40 held-out samples. {WON}"
    )
    assert said({"test": None, "folds": None}) == said(None) == WON
