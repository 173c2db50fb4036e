"""The values over the trials and over the epochs of each, by literal trials."""

import random

import pytest
from drawn_trials import record
from literal_trials import record as literal
from literal_trials import trial
from matplotlib.axes import Axes
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


# Rule: epochs are read from 1; another application's steps are its own.
@pytest.mark.parametrize(("changes", "shown"), [({}, [1, 2]), ({"application": "a.py"}, [0, 1])])
def test_epochs_are_read_from_one(changes, shown, monkeypatch) -> None:
    drawn: list[Axes] = []
    kept = history.to_picture

    def keep(figure, axes, **told):
        drawn.append(axes)
        return kept(figure, axes, **told)

    monkeypatch.setattr(history, "to_picture", keep)
    history.intermediate_values(literal([trial(steps=2)], **changes))
    assert list(drawn[0].lines[0].get_xdata()) == shown
