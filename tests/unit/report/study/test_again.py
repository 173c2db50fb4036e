"""The section of how to run it again: the commands of this very study."""

from pathlib import Path

from optuna.trial import create_trial

from lightning_hpo.report.study.again import content
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record


def record(trials, best) -> Record:
    results = {
        "study_name": "s",
        "monitor": "val/loss",
        "direction": "minimize",
        "trials": {"complete": 1, "pruned": 0, "failed": 0, "total": 4},
        "best": best,
        "command": "python -m lightning_hpo +experiment=x study.n_trials=4",
        "versions": {"torch": "2.15"},
        "seconds": {"search": 125.0, "final": 5.0},
    }
    return Record(Path("studies/s"), results, trials, Importances({}, ""))


def test_a_search_goes_on_with_twice_its_trials_and_its_best_trial_runs_again() -> None:
    html = content(record((create_trial(value=1.0),), {"number": 3, "value": 1.0, "params": {}}))
    assert "python -m lightning_hpo +experiment=x study.n_trials=8" in html
    assert "Search on, with twice as many trials" in html
    assert "python -m lightning_hpo.rerun studies/s 3" in html
    assert "2 min 5 s" in html


def test_a_baseline_has_no_search_to_go_on_with() -> None:
    html = content(record((), None))
    assert "Search on" not in html
    assert "lightning_hpo.rerun" not in html
    assert "tensorboard --logdir studies/s" in html


def test_another_applications_trial_is_not_run_again_by_us() -> None:
    found = record((create_trial(value=1.0),), {"number": 3, "value": 1.0, "params": {}})
    found.results.update(application="train.py", command="python train.py -m")
    html = content(found)
    assert "python train.py -m hydra.sweeper.n_trials=8" in html
    for ours in ("lightning_hpo.rerun", "tensorboard", "final job"):
        assert ours not in html
