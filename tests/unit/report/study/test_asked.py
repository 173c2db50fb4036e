"""What a study was asked, as its report says it."""

from literal_trials import record, trial

from lightning_hpo.report.study import asked


def test_fixed_settings_are_short_texts_that_no_trial_contradicts() -> None:
    common = {"data": "digits", "slot": 1, "config": "x" * 200, "owner": "me"}
    trials = [trial(0, a="1", **common), trial(1, a="2", **common), trial(2)]
    assert asked.fixed_settings(record(trials)) == {"data": "digits"}
