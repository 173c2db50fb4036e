"""Which trials are shown side by side."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.sweep.finale.shown import choose, forget_networks, shown_trials


def trials(*ended: tuple[TrialState, float | None, int]) -> list[FrozenTrial]:
    """From state, value and number of reports; a trial's number is its place."""
    found = []
    for number, (state, value, n_reports) in enumerate(ended):
        reports = {step: value for step in range(n_reports)}
        trial = create_trial(state=state, value=value, intermediate_values=reports)
        trial.number = number
        found.append(trial)
    return found


COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


# Rule: the best; of the completed the one in the middle, and of two in the middle the worse; of the
# pruned those that lived longest, and of these the latest.
@pytest.mark.parametrize(
    ("ended", "minimize", "expected"),
    [
        (
            [(COMPLETE, 0.3, 5), (COMPLETE, 0.1, 5), (COMPLETE, 0.2, 5), (FAIL, None, 2)],
            True,
            {"best": 1, "median": 2},
        ),
        (
            [(COMPLETE, 0.3, 5), (COMPLETE, 0.1, 5), (COMPLETE, 0.2, 5), (COMPLETE, 0.4, 5)],
            False,
            {"best": 3, "median": 2},
        ),
        (
            [
                (PRUNED, 0.9, 2),
                (PRUNED, 0.8, 3),
                (COMPLETE, 0.5, 5),
                (PRUNED, 0.7, 3),
                (PRUNED, 0.6, 1),
            ],
            True,
            {"best": 2, "pruned": 3},
        ),
        ([(COMPLETE, 0.2, 1), (COMPLETE, 0.2, 1)], True, {"best": 0, "median": 1}),
        ([(PRUNED, None, 0), (FAIL, None, 0)], True, {}),
        ([], True, {}),
    ],
)
def test_which_trials_are_shown(ended, minimize, expected) -> None:
    assert choose(trials(*ended), minimize=minimize) == expected


# Rule: a mean over some folds only, after the Wilcoxon pruner's word, is neither best nor median.
def test_a_trial_without_all_its_folds_is_not_shown() -> None:
    found = trials((COMPLETE, 0.1, 2), (COMPLETE, 0.3, 4))
    found[0].set_user_attr("stopped_after_fold", 1)
    assert choose(found, minimize=True) == {"best": 1}


# Rule: with several objectives, or where the folders of the trials are not, nothing is shown.
def test_nothing_is_shown_without_one_best_trial(tmp_path: Path) -> None:
    several = optuna.create_study(directions=["minimize", "minimize"])
    several.add_trial(create_trial(state=COMPLETE, values=[0.1, 0.2]))
    single = optuna.create_study()
    single.add_trial(create_trial(state=COMPLETE, value=0.1))
    assert shown_trials(single, tmp_path) == {}
    (tmp_path / "trials" / "0").mkdir(parents=True)
    (tmp_path / "trials" / "0" / "config.yaml").touch()
    assert shown_trials(single, tmp_path) == {"best": 0}
    assert shown_trials(several, tmp_path) == {}


def test_networks_are_forgotten_and_nothing_else(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    for number in (0, 3):
        folder.trial(number).path.mkdir(parents=True)
        folder.trial(number).config.write_text("seed: 0\n")
    folder.trial(3).network.write_bytes(b"weights")
    forget_networks(tmp_path)
    left = sorted(str(path.relative_to(folder.trials)) for path in folder.trials.rglob("*.*"))
    assert left == ["0/config.yaml", "3/config.yaml"]
