"""Where the best trial lies in its ranges, sentence by sentence."""

from typing import Any

import pytest
from literal_trials import record, trial, values
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from rare_class import rare_yes

from lightning_hpo.report.study import trivial, winner
from lightning_hpo.report.study.winner import borders


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


# Rule: the table of the folds says at which epoch each was judged, also in older results.
def test_folds_say_at_which_epoch_they_were_judged() -> None:
    fold = {"fold": 0, "epochs": 8, "best_epoch": 5, "val/loss": 0.25}
    cv = {"n_splits": 2, "folds": [fold, fold], "val/loss_mean": 0.25, "val/loss_std": 0.0}

    def said(**judged: Any) -> str:
        return winner._folds({"cv": {**cv, **judged}})

    assert "2-fold cross-validation, each fold at its own best epoch" in said()
    assert "2-fold cross-validation, each fold at its last epoch" in said(at_last_epoch=True)
    assert "each fold at its last epoch" in said(judged_at="last")
    assert "each fold at the epoch that the other folds choose" in said(judged_at="others")
    assert "each fold at the epoch at which the refit ends" in said(judged_at="fixed")
    assert "judged epoch" in said(folds=[{**fold, "epoch": 4}] * 2)
    # Stored from 0, read from 1: fold, epochs, best epoch, loss, judged epoch.
    row = "<tr><td>0</td><td>8</td><td>6</td><td>0.25</td><td>5</td></tr>"
    assert row in said(folds=[{**fold, "epoch": 4}] * 2).replace("judged <wbr>", "")


def test_the_ensemble_has_a_sentence_of_its_own() -> None:
    together = {"n": 3, "test": {"test/accuracy": 0.9421}, "no_test": None, "no_model": None}
    who = "The ensemble of these 3 networks, whose output is the mean of theirs,"
    assert winner.ensemble_words({"ensemble": together}) == [
        f"{who} has test/accuracy = 0.9421 on the same test samples; as one model it is"
        " final/ensemble.ckpt."
    ]
    together |= {"test": {}, "no_test": "refit kept no test samples"}
    assert winner.ensemble_words({"ensemble": together}) == [
        f"{who} has no test result: refit kept no test samples."
    ]
    assert winner.ensemble_words({"ensemble": None}) == winner.ensemble_words({}) == []


def test_tiles_and_tables_hold_a_model_that_looks_at_no_input() -> None:
    results: Any = record(values(0.25), cv=None, trivial=rare_yes(6, 0)).results
    tiles, tables = winner.tiles(results), trivial.content(results)
    assert "<span>always no</span><strong>0.91</strong>" in tiles
    assert "<span>balanced accuracy</span><strong>0.4835</strong>" in tiles
    assert '<tr><th scope="row">yes</th><td>0</td></tr>' in tables
    cells = "<td>200</td><td>0.88</td><td>no</td><td>0.91</td><td>0.4835</td>"
    assert f'<tr><th scope="row">test set</th>{cells}</tr>' in tables
    assert "no sample of yes (18 samples) is recognised" in tables
    assert trivial.content({**results, "trivial": None}) == ""


# Rule: like a parameter at its border; under a schedule and study.final_epochs the end is chosen.
@pytest.mark.parametrize(
    ("epochs", "best", "rule", "told"),
    [
        ((8, 8), (7, 7), "others", "(the 8th): train longer, with a larger trainer.max_epochs."),
        ((5, 8), (4, 7), "own", "(the fifth to 8th): train longer"),
        ((8, 8), (7, 6), "others", ""),
        ((8, 8), (7, 7), "last", ""),
        ((8, 8), (7, 7), "fixed", ""),
        ((1, 1), (0, 0), "others", ""),
    ],
)
def test_folds_that_all_ended_at_their_best_ask_for_more_epochs(
    epochs: tuple[int, ...], best: tuple[int, ...], rule: str, told: str
) -> None:
    folds = [{"epochs": n, "best_epoch": at} for n, at in zip(epochs, best, strict=True)]
    results: Any = {"cv": {"folds": folds, "judged_at": rule}}
    said = " ".join(winner.longer_words(results))
    assert (told in said) if told else said == ""


def test_older_results_and_none_ask_for_nothing() -> None:
    older: Any = {"cv": {"folds": [{"fold": 0, "val/loss": 0.5}]}}
    assert winner.longer_words(older) == winner.longer_words({"cv": None}) == []  # type: ignore[typeddict-item]
