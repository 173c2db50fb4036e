"""The first sentence of a report, on literal trials."""

from literal_trials import record, trial, values
from optuna.trial import TrialState

from lightning_hpo.report.study import headline


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
