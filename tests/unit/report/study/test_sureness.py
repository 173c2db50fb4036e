"""How sure the best trial is, sentence by sentence, on literal trials and folds."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from literal_trials import record, values

from benchmarks.honesty import World, cross_validated, folds_of, share, shuffled, with_test
from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report.study import sureness
from lightning_hpo.results.record import Record

EXACT = (0.29, 0.295, 0.3, 0.305, 0.31)


def folds(*losses: float) -> dict[str, Any]:
    """What a cross-validation leaves of these losses."""
    of_each = [{"fold": k, "val/loss": loss} for k, loss in enumerate(losses)]
    summary = {"val/loss_mean": fmean(losses), "val/loss_std": stdev(losses)}
    return {"n_splits": len(losses), "folds": of_each, **summary}


def fixed_mean(mean: float, std: float, n: int) -> dict[str, Any]:
    """The same of ``n`` losses with this mean and this standard deviation."""
    raw = np.linspace(-1, 1, n)
    return folds(*(mean + std * raw / raw.std(ddof=1)))


@pytest.fixture
def comparable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search and final job saw the same data for as long."""
    monkeypatch.setattr(sureness, "same_conditions", lambda record, number: True)


def searched(tmp_path: Path, *trials: list[float], cv: dict[str, Any] | None = None) -> Record:
    """A study whose trials had these losses in the folds of the search."""
    for number, losses in enumerate(trials):
        for fold, loss in enumerate(losses):
            place = tmp_path / f"trials/{number}/fold_{fold}"
            place.mkdir(parents=True)
            found = {"fold": fold, "value": 0.0, "objective": loss}
            (place / "result.json").write_text(json.dumps(found))
    return replace(record(values(*map(fmean, trials)), cv=cv), folder=tmp_path)


# Rule: a lead counts by the differences on the same folds, however large the folds' own spread.
def test_a_lead_on_every_fold_is_a_clear_one(tmp_path: Path) -> None:
    second = [0.2, 0.4, 0.6, 0.3, 0.5]
    best = [loss - by for loss, by in zip(second, (0.05, 0.06, 0.05, 0.04, 0.05), strict=True)]
    assert sureness.sureness(searched(tmp_path, second, best))[0] == (
        "The best trial leads the second by 0.05, over the 5 folds of the search by more than "
        "noise: the winner is a clear one."
    )


# Rule: folds of an older study counted with their best value.
def test_the_folds_of_older_trials_are_read(tmp_path: Path) -> None:
    study = searched(tmp_path, [0.5, 0.6], [0.2, 0.32])
    for path in tmp_path.glob("trials/*/fold_*/result.json"):
        found = json.loads(path.read_text())
        path.write_text(json.dumps({"fold": found["fold"], "value": found["objective"]}))
    assert sureness.sureness(study)[0] == (
        "The best trial leads the second by 0.29, over the 2 folds of the search by more than "
        "noise: the winner is a clear one."
    )


# Rule: folds of a stack, which have no folders, count in the same way.
def test_the_folds_of_stacked_trials_are_read(tmp_path: Path) -> None:
    trials = [0.5, 0.6], [0.2, 0.32]
    for number, losses in enumerate(trials):
        place = StudyFolder(tmp_path).trial(number).fold_values
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(losses))
    study = replace(record(values(*map(fmean, trials)), cv=None), folder=tmp_path)
    assert "over the 2 folds of the search by more than noise" in sureness.sureness(study)[0]


# Rule: without that, those that cannot be told from the best are counted.
def test_a_lead_within_noise_makes_no_winner(tmp_path: Path) -> None:
    best, second = [0.2, 0.3, 0.4], [0.25, 0.29, 0.39]
    far = [1.2, 1.301, 1.4]
    assert sureness.sureness(searched(tmp_path, far, second, best))[0] == (
        "The best trial leads the second by 0.01, over the 3 folds of the search a difference "
        "within noise. 1 other trial is not to be told from the best: take the winner as one of "
        "several good choices."
    )


# Rule: one value of each trial says nothing about its chance, and a mean over some folds is no
# rival.
def test_without_the_searchs_folds_a_lead_is_a_number() -> None:
    assert sureness.sureness(record(values(0.6, 0.5), cv=None))[0] == (
        "The best trial leads the second by 0.1. One value of each cannot tell whether that is "
        "more than chance."
    )
    some, whole, other = values(0.1, 0.5, 0.7)
    some.set_user_attr(STOPPED_AFTER_FOLD, 1)
    said = sureness.sureness(record([some, whole, other], cv=None))[0]
    assert said.startswith("The best trial leads the second by 0.2.")


# Rule: what the search's value is worth is told with its draws, its epochs and who was left out;
# nothing is told where it is not known.
@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, ", each fold still at its own best epoch."),
        ({"at_last_epoch": True}, "."),
        (
            {"at_last_epoch": True, "left_out": 3},
            "; 3 trials without all samples, as pruned ones are, left out.",
        ),
    ],
)
def test_what_the_searchs_value_is_worth(changes: dict[str, Any], end: str) -> None:
    corrected = {"value": 0.3125, "low": 0.25, "high": 0.375, "trials": 20, "left_out": 0}
    corrected |= {"samples": 200, "at_last_epoch": False, **changes}
    said = sureness.sureness(record(values(0.25, 0.5), cv=None, bias_corrected=corrected))
    assert said[1] == (
        "Corrected for having been picked as the best of 20 on the same samples, 0.25 is worth "
        "0.3125, 0.25 to 0.375 in 95 of 100 draws of these 200 samples (BBC-CV)" + end
    )
    silent = sureness.sureness(record(values(0.25, 0.5), cv=None, bias_corrected=None))
    assert not any("BBC" in sentence for sentence in silent)


# Rule: beyond the interval of the folds' mean the search's value is called flattering;
# confirmed only where the whole interval lies within a tenth of it; in between it is neither.
@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize(
    ("promised", "direction", "expected"),
    [
        (0.27, "minimize", "was picked as the best of 2 and flatters the winner"),
        (0.29, "minimize", "to within 10 % the folds confirm what the search promised"),
        (
            0.2855,
            "minimize",
            "5 folds neither confirm nor refute the search's value. It was",
        ),
        (0.33, "maximize", "was picked as the best of 2 and flatters the winner"),
        (0.31, "maximize", "to within 10 % the folds confirm what the search promised"),
    ],
)
def test_a_promise_is_held_against_the_folds(
    promised: float, direction: str, expected: str
) -> None:
    # 0.3 +- t_4 * 0.0079 * sqrt(1/5 + 1/4) = 0.2853 to 0.3147
    other = 0.5 if direction == "minimize" else 0.1
    found = record(values(promised, other), cv=folds(*EXACT), direction=direction)
    assert expected in sureness.sureness(found)[2]


# Rule: where others chose the folds' epochs, the trials' own choice of theirs is named as a cause.
@pytest.mark.usefixtures("comparable")
def test_a_trial_at_its_own_best_epoch_is_said_to_be() -> None:
    def said(promised: float, *others: float) -> str:
        cv = folds(*EXACT) | {"judged_at": "others"}
        return " ".join(sureness.sureness(record(values(promised, *others), cv=cv)))

    own = "was picked as the best of 2, each at its own best epoch, and flatters the winner"
    assert own in said(0.27, 0.5)
    assert "value is at its own best epoch and flatters the winner" in said(0.27)
    expect = "each at its own best epoch, so expect the folds' mean."
    assert said(0.2855, 0.5).find(f"It was picked as the best of 2, {expect}") > 0
    assert "It is at its own best epoch, so expect the folds' mean." in said(0.2855)


# Rule: study 1 of the reference, 0.158 and then 0.313 with a standard deviation of 0.284, is not
# confirmed, nor is any value by folds of such a spread.
@pytest.mark.usefixtures("comparable")
@pytest.mark.parametrize("promised", [0.158, 0.3, 0.313, 0.5])
def test_a_large_spread_confirms_nothing(promised: float) -> None:
    study = record(values(promised, 0.9), cv=fixed_mean(0.313, 0.284, 8))
    said = " ".join(sureness.sureness(study))
    assert "the folds confirm" not in said
    assert "8 folds neither confirm nor refute" in said


# Rule: silence where search and final job cannot be compared, or the folds are of another trial.
def test_nothing_is_said_of_what_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def judges(**changes: Any) -> bool:
        found = record(values(0.29, 0.5), cv=folds(*EXACT), **changes)
        return any("in the search" in sentence for sentence in sureness.sureness(found))

    assert not judges()
    monkeypatch.setattr(sureness, "same_conditions", lambda record, number: number == 0)
    assert judges(final_trial=0)
    assert not judges(final_trial=1)


# Rule: one more fold lies in 0.3 +- t_4 * 0.0079 * sqrt(1 + 1/5) = 0.276 to 0.324; what lies
# outside is told by its side.
@pytest.mark.parametrize(
    ("tested", "direction", "expected"),
    [
        (0.32, "minimize", "0.32 on the test set: within 0.276 to 0.324, where one more fold"),
        (0.33, "minimize", "worse than the folds suggest, outside 0.276 to 0.324"),
        (0.33, "maximize", "better than the folds suggest, outside 0.276 to 0.324"),
    ],
)
def test_test_result_is_held_against_the_folds(
    tested: float, direction: str, expected: str
) -> None:
    test = {"test/loss": tested}
    study = record(values(0.3), cv=folds(*EXACT), test=test, direction=direction)
    assert expected in sureness.sureness(study)[-1]


# Rule: a share's interval ends where shares do; 0.95 +- t_2 * 0.05 * sqrt(1 + 1/3) goes to 1.198.
def test_no_share_is_expected_above_one() -> None:
    cv = {
        "n_splits": 3,
        "folds": [{"fold": k, "val/f1": f1} for k, f1 in enumerate((0.9, 0.95, 1.0))],
        "val/f1_mean": 0.95,
        "val/f1_std": 0.05,
    }
    found = {"cv": cv, "test": {"test/f1": 0.97}, "monitor": "val/f1", "direction": "maximize"}
    said = sureness.sureness(record(values(0.9), **found))[-1]
    assert said.startswith("0.97 on the test set: within 0.7016 to 1, where one more fold lies")


def test_without_cross_validation_nothing_is_claimed() -> None:
    assert sureness.sureness(record(values(1.0), cv=None)) == [
        "The winner was not cross-validated, so nothing is known about how much its value depends "
        "on the split of the data."
    ]


# ---------------------------------------------------------------- on data of known truth

WORLD = World(n=60, features=5)
REPETITIONS = 1500


def told(trials: tuple[float, ...], losses: Any, **changes: Any) -> str:
    """What is said after a search with these values and folds of these losses."""
    found = record(values(*trials), cv=folds(*map(float, losses)), **changes)
    return " ".join(sureness.sureness(found))


# Rule: a value as it is to be expected is called flattering in at most 2.5 % of cases, one that
# is a tenth too good confirmed in as few; one that is twice too good is seen.
@pytest.mark.usefixtures("comparable")
def test_how_often_a_promise_is_judged_wrongly() -> None:
    (found, _) = folds_of(np.random.default_rng(0), replace(WORLD, n=200), REPETITIONS)
    truth = float(found.mean())

    def rate(promised: float, word: str) -> float:
        return share(word in told((promised, 9.0), losses) for losses in found)

    assert rate(truth, "flatters") < 0.035
    assert rate(truth / 1.11, "the folds confirm") < 0.035
    assert rate(truth / 2, "flatters") > 0.6


# Rule: nor is the best of twenty equals, chosen on the same samples, confirmed where it is a tenth
# and more too good.
@pytest.mark.usefixtures("comparable")
def test_a_winner_by_luck_is_rarely_confirmed() -> None:
    rng, world, n = np.random.default_rng(0), replace(WORLD, models=20), 400
    inputs, targets = world.draw(rng, n, world.n)
    search, final = shuffled(rng, n, world), shuffled(rng, n, world)
    found = np.stack([cross_validated(x, targets, search).mean(axis=1) for x in inputs])
    best, truth = found.argmin(axis=0), found.mean()
    again = cross_validated(inputs[best, np.arange(n)], targets, final)
    promised = found.min(axis=0)
    lucky = promised * 1.1 < truth
    pairs = zip(promised, again, strict=True)
    confirmed = ["the folds confirm" in told((value, 9.0), losses) for value, losses in pairs]
    assert lucky.mean() > 0.5
    assert share(lucky & np.array(confirmed)) < 0.05


# Rule: a test on as many samples as a fold has lies outside by chance in about 5 % of cases; three
# times the error is seen.
def test_how_often_a_test_lies_outside() -> None:
    found, tested = with_test(np.random.default_rng(0), WORLD, REPETITIONS, WORLD.n // 5)

    def rate(values: Any) -> float:
        return share(
            "outside" in told((1.0,), losses, test={"test/loss": float(value)})
            for losses, value in zip(found, values, strict=True)
        )

    assert 0.03 < rate(tested) < 0.075
    assert rate(3 * tested) > 0.6


# Rule: the best of equal trials is called a clear winner in at most 5 % of cases.
@pytest.mark.parametrize("models", [2, 6])
def test_how_often_equals_have_a_clear_winner(models: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = np.stack(folds_of(np.random.default_rng(0), replace(WORLD, models=models), 1000), 1)

    def clear(trials: Any) -> bool:
        monkeypatch.setattr(sureness, "_fold_values", lambda record, number: list(trials[number]))
        said = sureness.sureness(record(values(*trials.mean(axis=1)), cv=None))
        return "a clear one" in said[0]

    assert share(map(clear, found)) < 0.05
