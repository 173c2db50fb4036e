"""Errors read against the noise of the data, and the fit without early stopping, in sentences."""

from lightning_hpo.protocol.stages import quantity
from lightning_hpo.results.readings import spread, test_value
from lightning_hpo.results.results import DataOf, Results
from lightning_hpo.results.text import number, percent

_SQUARED = ("loss", "mse")  # metrics that a noise variance can be compared with


def noise_floor(results: Results) -> float | None:
    """The noise variance of the data, where it is known and the monitor is a loss."""
    variance = (results.get("data") or DataOf()).get("noise_variance")
    return variance if quantity(str(results["monitor"])).endswith(_SQUARED) else None


def floor_words(results: Results) -> list[str]:
    """How far the k-fold error and the test error lie from what noise alone causes."""
    variance = noise_floor(results)
    if not variance:
        return []
    folds, test = spread(results), test_value(results)
    sentences = []
    if folds is not None:
        sentences.append(_against("The k-fold error", folds.mean, variance))
    if test is not None:
        sentences.append(_against("The test error", test, variance))
    return sentences


def _against(what: str, error: float, variance: float) -> str:
    ratio = error / variance
    floor = f"the noise variance {number(variance)} of the data"
    if ratio >= 2:
        return (
            f"{what} {number(error)} is {ratio:.1f} times {floor}: most of it is the model's, "
            "and a better one can exist."
        )
    if ratio >= 1.005:
        return (
            f"{what} {number(error)} lies {percent(ratio - 1)} above {floor}, below which no "
            "model's error is to be expected."
        )
    if ratio > 0.995:
        return f"{what} {number(error)} equals {floor}: no better model is to be expected."
    return (
        f"{what} {number(error)} lies {percent(1 - ratio)} below {floor}: by chance the noise in "
        "these samples is small; expect the noise variance of new data."
    )


def holdout_words(results: Results) -> list[str]:
    """The fit on a part of the training data for all epochs, if it was done."""
    found, monitor = results.get("holdout"), str(results["monitor"])
    if not found:
        return []
    last = ", ".join(f"{name} = {number(value)}" for name, value in found["last"].items())
    sentence = (
        f"Without early stopping, trained on {percent(1 - found['val_fraction'])} of the training "
        f"data for all {found['epochs']} epochs, the best parameters end at {last}."
    )
    if monitor not in found:
        return [sentence]
    if found["best_epoch"] + 1 == found["epochs"]:
        return [f"{sentence} The last epoch was the best: longer training may help."]
    return [
        f"{sentence} The best epoch was number {found['best_epoch'] + 1} with {monitor} = "
        f"{number(found[monitor])}."
    ]
