"""The claims of the two reports, each with numbers that allow it and numbers that do not."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from compared_studies import contest, study
from literal_trials import record, values
from rare_class import rare_yes
from report_study import regression_results

from lightning_hpo.report.comparison.words import headline, lead, noise_summary
from lightning_hpo.report.study import confidence, noise, race, search, sureness, winner
from lightning_hpo.report.study import headline as study_headline
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.samples import Row, differences

Says = Callable[[pytest.MonkeyPatch], str]
# Eight folds of study 1 of the reference, whose search promised 0.158.
PROMISED, MEAN, STD = 0.158, 0.313, 0.284


@dataclass(frozen=True)
class Claim:
    """``words`` of a file's literals; said ``at`` numbers that allow them, and not where ``no``."""

    file: str
    words: str
    no: tuple[Says, ...]
    at: Says


def spread(mean: float, std: float, n: int = 8) -> dict[str, Any]:
    """A cross-validation whose folds have this mean and this standard deviation."""
    raw = np.linspace(-1, 1, n)
    losses = [float(x) for x in mean + std * raw / raw.std(ddof=1)]
    folds = [{"fold": k, "val/loss": loss} for k, loss in enumerate(losses)]
    summary = {"val/loss_mean": fmean(losses), "val/loss_std": stdev(losses)}
    return {"n_splits": n, "folds": folds, **summary}


def promised(value: float, cv: dict[str, Any], *, trials: int = 2, **changes: Any) -> Says:
    """What is said of a search with this best value and these folds of the final job."""

    def says(patch: pytest.MonkeyPatch) -> str:
        patch.setattr(sureness, "same_conditions", lambda record, number: True)
        found = record(values(value, *[0.9] * (trials - 1)), cv=cv, **changes)
        return " ".join(sureness.sureness(found))

    return says


def led(*trials: list[float], wrong_no: int | None = None) -> Says:
    """What is said of trials with these losses in the folds of the search, the best first.

    ``wrong_no``: the winner finds no "yes" in the test, and errs in so many "no".
    """

    def says(patch: pytest.MonkeyPatch) -> str:
        patch.setattr(sureness, "_fold_values", lambda record, number: trials[number])
        told = None if wrong_no is None else rare_yes(wrong_no, 0)
        found = record(values(*map(fmean, trials)), cv=None, trivial=told)
        return " ".join(sureness.sureness(found))

    return says


def beside_majority(wrong_no: int, right_yes: int) -> Says:
    """What the report's head says of a network on 182 "no" and 18 "yes"."""

    def says(patch: pytest.MonkeyPatch) -> str:
        found = record(values(0.5), cv=None, trivial=rare_yes(wrong_no, right_yes))
        return study_headline.headline(found).lower()

    return says


def corrected(**changes: Any) -> Says:
    found = {"value": 0.3, "low": 0.2, "high": 0.4, "trials": 2, "left_out": 0, "samples": 9}
    found["at_last_epoch"] = True

    def says(patch: pytest.MonkeyPatch) -> str:
        told = changes.get("bias_corrected", found)
        return " ".join(sureness.sureness(record(values(0.2, 0.5), cv=None, bias_corrected=told)))

    return says


def against_noise(mean: float, std: float, variance: float = 0.2) -> Says:
    """What is said of folds beside the data's noise variance."""

    def says(patch: pytest.MonkeyPatch) -> str:
        results = regression_results("curve") | {"cv": spread(mean, std)}
        results["data"] = {**results["data"], "noise_variance": variance}
        return " ".join(noise.floor_words(results))

    return says


def holdout(best_epoch: int) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        results = regression_results("curve")
        results["holdout"] |= {"best_epoch": best_epoch}
        return " ".join(noise.holdout_words(results))

    return says


def of_a_guest(completed: int) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        return " ".join(winner._optimism(record(values(*[0.5] * completed), cv=None)))

    return says


def important(completed: int) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        shares = {"a": 0.7, "b": 0.2, "c": 0.1}
        told = search.importance_words(Importances(shares, "", completed=completed, top=0.1))
        return told.replace("that is a hint, no more", "") if completed >= 40 else told

    return says


def after_the_best(*losses: float) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        return " ".join(search.progress(record(values(*losses), cv=None)))

    return says


def calibrated(**change: float) -> Says:
    """What is said of a temperature by which the test loss changed so."""
    ece = {part: {"n": 9, "before": 0.08, "after": 0.02} for part in ("held_out", "test")}
    found: Any = {"temperature": 1.75, "ece": ece, "test_loss": {"change": 0.0, **change}}

    def says(patch: pytest.MonkeyPatch) -> str:
        return " ".join(confidence.words(record(values(0.5), calibration=found).results))

    return says


def raced(told_apart: list[int], losses: list[float | None]) -> Says:
    """What is said of a race that trial 1 won, against trial 0 with these losses."""

    def candidate(number: int, of_rounds: list[float | None]) -> dict[str, Any]:
        told = {"number": number, "value": 0.5, "params": {}, "left": None, "n_parameters": 1}
        return {**told, "values": of_rounds}

    def says(patch: pytest.MonkeyPatch) -> str:
        candidates = [candidate(0, losses), candidate(1, [0.1, 0.2])]
        found = {"rounds": [[0, 1]] * 2, "candidates": candidates, "winner": 1}
        found |= {"told_apart": told_apart, "split_anew": True}
        return " ".join(race.verdict(record(values(0.5), race=found).results))

    return says


def compared(*folds: list[float]) -> Says:
    """Everything that is said of two or more studies with these losses of the folds."""

    def says(patch: pytest.MonkeyPatch) -> str:
        studies = [study(name, losses) for name, losses in zip("abcdef", folds, strict=False)]
        rows = [Row((each,)) for each in studies]
        pairs = differences(rows, "val/loss")
        told = [headline(contest(*studies)), lead(rows, "val/loss", minimize=True)]
        return " ".join([*told, noise_summary(pairs, "val/loss")])

    return says


WIDE = promised(PROMISED, spread(MEAN, STD), test={"test/loss": 0.272})
NARROW = spread(0.3, 0.008)
UNCLEAR = compared([1.0, 1.1, 1.2], [1.05, 1.0, 1.3])

CLAIMS = (
    Claim(
        "study/sureness.py",
        ": the winner is a clear one",
        (
            led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50], wrong_no=6),
            led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50], wrong_no=0),
            led([0.2, 0.3, 0.4], [0.25, 0.29, 0.39]),
            led([0.2], [0.9]),
            led([0.2, 0.3, 0.4], [0.9]),
        ),
        led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50]),
    ),
    Claim(
        "study/sureness.py",
        "folds of the search by more than noise",
        (led([0.2, 0.3, 0.4], [0.25, 0.29, 0.39]), led([0.2], [0.9])),
        led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50], wrong_no=6),
    ),
    Claim(
        "study/trivial.py",
        "the network is worse than ",
        (beside_majority(0, 18), beside_majority(0, 0), beside_majority(5, 0)),
        beside_majority(6, 0),
    ),
    Claim(
        "study/trivial.py",
        "nothing shows that the network is better than ",
        (beside_majority(0, 5), beside_majority(6, 0)),
        beside_majority(0, 4),
    ),
    Claim(
        "study/sureness.py",
        "not to be told from the best: take the winner as one of several good choices",
        (led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50]), led([0.2], [0.2])),
        led([0.2, 0.3, 0.4], [0.25, 0.29, 0.39]),
    ),
    Claim(
        "study/sureness.py",
        "the folds confirm what the search promised",
        (WIDE, promised(0.27, NARROW), promised(MEAN, spread(MEAN, STD)), promised(0.3, {})),
        promised(0.295, NARROW),
    ),
    Claim(
        "study/sureness.py",
        "flatters",
        (WIDE, promised(0.31, NARROW), promised(0.27, NARROW, final_trial=1)),
        promised(0.27, NARROW),
    ),
    Claim(
        "study/sureness.py",
        "worse by more than noise",
        (WIDE, promised(0.31, NARROW)),
        promised(0.27, NARROW, trials=1),
    ),
    Claim(
        "study/sureness.py",
        "than the folds suggest, outside",
        (WIDE, promised(0.3, NARROW, test={"test/loss": 0.315})),
        promised(0.3, NARROW, test={"test/loss": 0.33}),
    ),
    Claim(
        "study/sureness.py",
        "is worth",
        (corrected(bias_corrected=None), WIDE),
        corrected(),
    ),
    Claim(
        "study/noise.py",
        ", more than the folds' spread explains: a better model can exist",
        (against_noise(MEAN, STD, 0.22), against_noise(0.203, 0.02), against_noise(0.1, 0.001)),
        against_noise(0.3, 0.01),
    ),
    Claim(
        "study/noise.py",
        "so these folds flatter the model",
        (against_noise(0.158, STD, 0.22), against_noise(0.19, 0.02), against_noise(0.3, 0.01)),
        against_noise(0.1, 0.001),
    ),
    Claim("study/noise.py", "longer training may help", (holdout(430),), holdout(1999)),
    Claim("study/winner.py", "which flatters the winner", (of_a_guest(1),), of_a_guest(2)),
    Claim(
        "study/search.py",
        "after it found nothing better",
        (after_the_best(0.5, 0.2), after_the_best(0.5)),
        after_the_best(0.2, 0.5),
    ),
    Claim(
        "study/race.py",
        "by more than noise (paired t-tests that hold together)",
        (raced([], [0.3, 0.4]), raced([], [0.3, None])),
        raced([0], [0.3, 0.4]),
    ),
    Claim(
        "study/race.py",
        "cannot be told apart",
        (raced([0], [0.3, 0.4]), raced([], [0.3, None])),
        raced([], [0.3, 0.4]),
    ),
    Claim(
        "study/confidence.py",
        "Its probabilities get better by it",
        (calibrated(low=-0.1, high=0.1), calibrated(low=0.1, high=0.2)),
        calibrated(low=-0.2, high=-0.1),
    ),
    Claim(
        "study/confidence.py",
        "Its probabilities get worse by it",
        (calibrated(low=-0.1, high=0.1), calibrated(low=-0.2, high=-0.1)),
        calibrated(low=0.1, high=0.2),
    ),
    Claim(
        "comparison/words.py",
        "more than noise",
        (UNCLEAR, compared([1.0], [2.0]), compared([1.0, 1.0], [2.0, 2.0]), compared([], [])),
        compared([1.0, 1.01, 1.02], [2.0, 2.01, 2.02]),
    ),
)
