"""A search's best value, corrected for its choice: by hand, on known truth, and from files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.trial_values import TrialValues
from lightning_hpo.results.bias_corrected import bias_corrected, of_search


# Rule: among one there is no choice: the mean of the samples that a draw leaves out is theirs.
def test_of_a_single_trial_it_is_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=(1, 500)).astype(np.float32)
    found = bias_corrected(values, minimize=True, draws=4000)
    assert found is not None
    assert found.value == pytest.approx(values.mean(), abs=0.005)
    # Of 500 samples 184 are left out, of those that there are: 1 / sqrt(184) * sqrt(316 / 500).
    half = 1.96 * values.std() / np.sqrt(184) * np.sqrt(316 / 500)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


# Rule: of many that are equally good, the best looks better than any is; corrected it does not.
@pytest.mark.parametrize("minimize", [True, False])
def test_the_best_of_many_equals_is_corrected(minimize: bool) -> None:
    rng, best, corrected = np.random.default_rng(0), [], []
    for _ in range(60):
        values = 1 + rng.normal(size=(30, 200)).astype(np.float32)
        means = values.mean(1)
        best.append(means.min() if minimize else means.max())
        found = bias_corrected(values, minimize=minimize, draws=100)
        assert found is not None
        corrected.append(found.value)
    # Of 30 means with a standard error of 0.07 the best is 2 of them off.
    assert abs(np.mean(best) - 1) > 0.12
    assert np.mean(corrected) == pytest.approx(1, abs=0.02)


# Rule: where one is better beyond doubt, it wins every draw, and there is nothing to correct.
def test_a_clear_winner_keeps_its_value() -> None:
    values = np.stack([np.full(50, 0.25), np.full(50, 0.5)]).astype(np.float32)
    found = bias_corrected(values, minimize=True)
    assert found is not None
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)
    highest = bias_corrected(values, minimize=False)
    assert highest is not None
    assert highest.value == 0.5


def test_a_seed_decides_the_draws() -> None:
    values = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32)
    again = [bias_corrected(values, minimize=True, seed=seed) for seed in (0, 0, 1)]
    assert again[0] == again[1] != again[2]
    # A draw of two samples may have taken both.
    assert bias_corrected(values[:, :2], minimize=True) is not None
    assert bias_corrected(values[:, :1], minimize=True) is None


def searched(folder: Path, *trials: Sequence[float] | None, **attributes: Any) -> optuna.Study:
    """A study whose complete trials left these losses of their samples, or none.

    ``attributes``: of the last trial.
    """
    study = optuna.create_study()
    for number, losses in enumerate(trials):
        value = 9.0 if losses is None else float(np.mean(losses))
        attrs = attributes if number == len(trials) - 1 else {}
        study.add_trial(create_trial(value=value, user_attrs=attrs))
        if losses is not None:
            job = StudyFolder(folder).trial(number)
            job.path.mkdir(parents=True)
            of_each = np.array(losses, np.float32)
            TrialValues(np.arange(len(losses)), of_each, "loss").write(job.losses)
    return study


def test_what_results_say(tmp_path: Path) -> None:
    study = searched(tmp_path, [0.25, 0.25, 0.25], [0.5, 0.5, 0.5], None)
    study.add_trial(create_trial(state=TrialState.PRUNED))
    study.add_trial(create_trial(state=TrialState.FAIL))
    assert of_search(study, tmp_path, at_last_epoch=False) == {
        "value": 0.25,
        "low": 0.25,
        "high": 0.25,
        "trials": 2,
        "left_out": 2,
        "samples": 3,
        "at_last_epoch": False,
    }


# Rule: silence where fewer than two trials can be chosen from, or the one that was chosen left
# nothing; a trial of other samples, or of some folds alone, is none to choose from.
def test_silence_where_the_choice_is_not_known(tmp_path: Path) -> None:
    def known(name: str, study: optuna.Study) -> bool:
        return of_search(study, tmp_path / name, at_last_epoch=False) is not None

    assert known("two", searched(tmp_path / "two", [0.5] * 3, [0.25] * 3))
    assert not known("one", searched(tmp_path / "one", [0.5] * 3, None))
    assert not known("other", searched(tmp_path / "other", [0.25] * 3, [0.5] * 4))
    best_unknown = searched(tmp_path / "best", [0.5] * 3, [0.4] * 3)
    best_unknown.add_trial(create_trial(value=0.1))
    assert not known("best", best_unknown)
    stopped = searched(tmp_path / "s", [0.5] * 3, [0.25] * 3, **{STOPPED_AFTER_FOLD: 0})
    assert not known("s", stopped)
    several = optuna.create_study(directions=["minimize", "maximize"])
    assert not known("several", several)
