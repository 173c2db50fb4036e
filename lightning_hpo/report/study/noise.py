"""Errors read against the noise of the data, and the fit without early stopping, in sentences."""

from math import isfinite
from typing import Any

from lightning_hpo.protocol.stages import quantity
from lightning_hpo.results.readings import Spread, spread, test_value
from lightning_hpo.results.results import DataOf, Results
from lightning_hpo.results.statistics import interval
from lightning_hpo.results.text import number, percent

_SPLITS: dict[Any, str] = {
    True: " and validated on the rest, a split of its own",
    False: " and validated on the samples by which the search chose",
}
_SQUARED = ("loss", "mse")  # metrics that a noise variance can be compared with


def noise_floor(results: Results) -> float | None:
    """The noise variance of the data, where it is known and the monitor is a loss."""
    variance = (results.get("data") or DataOf()).get("noise_variance")
    return variance if quantity(str(results["monitor"])).endswith(_SQUARED) else None


def floor_words(results: Results) -> list[str]:
    """The k-fold error and the test error beside what noise alone causes in expectation.

    Only the folds' interval judges: how far the noise of the test samples lies from its variance
    is not known.
    """
    variance = noise_floor(results)
    if not variance:
        return []
    folds, test = spread(results), test_value(results)
    sentences = []
    if folds is not None:
        judged = _judged(folds, variance)
        sentences.append(f"{_against('The k-fold error', folds.mean, variance)}{judged}.")
    if test is not None:
        sentences.append(f"{_against('The test error', test, variance)}.")
    return sentences


def _against(what: str, error: float, variance: float) -> str:
    ratio = error / variance
    floor = f"the noise variance {number(variance)} of the data"
    if ratio >= 2:
        return f"{what} {number(error)} is {ratio:.1f} times {floor}"
    if 0.995 < ratio < 1.005:
        return f"{what} {number(error)} equals {floor}"
    side = "above" if ratio > 1 else "below"
    return f"{what} {number(error)} lies {percent(abs(ratio - 1))} {side} {floor}"


def _judged(folds: Spread, variance: float) -> str:
    """What the interval of the folds' mean says, whose error is 2.5 % to each side."""
    low, high = interval(folds.folds, overlap=folds.overlap)
    if low > variance:
        return ", more than the folds' spread explains: a better model can exist"
    if high < variance:
        return (
            ", more than the folds' spread explains: no model's error is that low in expectation, "
            "so these folds flatter the model"
        )
    if isfinite(low):
        return f", a difference within the noise of {len(folds.folds)} folds"
    return ""


def holdout_words(results: Results) -> list[str]:
    """The fit on a part of the training data for all epochs, if it was done.

    It says whether the samples that judged it were drawn for it (see ``fitting.splits``), or chose
    the winner; older studies, which have no such record, do not.
    """
    found, monitor = results.get("holdout"), str(results["monitor"])
    if not found:
        return []
    last = ", ".join(f"{name} = {number(value)}" for name, value in found["last"].items())
    sentence = (
        f"Without early stopping, trained on {percent(1 - found['val_fraction'])} of the training "
        f"data for all {found['epochs']} epochs{_SPLITS.get(found.get('new_split'), '')}, the best "
        f"parameters end at {last}."
    )
    if monitor not in found:
        return [sentence]
    if found["best_epoch"] + 1 == found["epochs"]:
        return [f"{sentence} The last epoch was the best: longer training may help."]
    return [
        f"{sentence} The best epoch was number {found['best_epoch'] + 1} with {monitor} = "
        f"{number(found[monitor])}."
    ]
