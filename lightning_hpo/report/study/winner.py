"""The section of the winner: its parameters, its folds, its test result."""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from lightning_hpo.protocol.judging import Rule, rule_of
from lightning_hpo.protocol.summaries import cross_validation_title
from lightning_hpo.report.figures.folds import fold_spread
from lightning_hpo.report.html import markup
from lightning_hpo.report.html.markup import (
    bullets,
    cell,
    optional,
    paragraphs,
    place_in_range,
    table,
    text,
)
from lightning_hpo.report.study import noise, race, trivial
from lightning_hpo.report.study.sureness import sureness
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import Results, taken
from lightning_hpo.results.text import (
    listing,
    number,
    ordinal,
    parameter,
    percent,
    plus_minus,
    value_range,
)

_JUDGED_AT: Mapping[Rule, str] = {
    "others": "the epoch that the other folds choose",
    "last": "its last epoch",
    "fixed": "the epoch at which the refit ends",
    "own": "its own best epoch",
}
# Of a fold, which of its epochs, by what the reader sees.
_EPOCHS = {"epoch": "judged epoch", "best_epoch": "best epoch"}
BORDER = 0.05  # an optimum this close to an end of its range, as a fraction of the range's length


def place(value: float, distribution: BaseDistribution) -> float | None:
    """Where in its range a value lies, from 0 at the low end to 1, on the range's own scale.

    None for choices, and for ranges of one or two values, which are all border.
    """
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        return None
    low, high = float(distribution.low), float(distribution.high)
    if low == high or (distribution.step and (high - low) / distribution.step < 1.5):
        return None
    if distribution.log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def at_border(position: float | None) -> bool:
    """Within 5 % of the range's length of either end (and a rounding error)."""
    return position is not None and min(position, 1 - position) <= BORDER + 1e-9


def borders(trial: FrozenTrial) -> list[str]:
    """One sentence for each parameter whose optimum lies at the border of its range."""
    sentences = []
    for name, distribution in trial.distributions.items():
        position = place(trial.params[name], distribution)
        if position is None or not at_border(position):
            continue
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        is_low = position < 0.5
        end, limit = ("lower", distribution.low) if is_low else ("upper", distribution.high)
        logarithmic = " on its logarithmic scale" if distribution.log else ""
        sentences.append(
            f"{name} = {number(trial.params[name])} lies at the {end} border of its range "
            f"({value_range(distribution)}){logarithmic}: where values beyond "
            f"{number(limit)} make sense, search a wider range."
        )
    return sentences


def longer_words(results: Results) -> list[str]:
    """Where every fold was still getting better, and nothing asks for these very epochs."""
    cv = results.get("cv") or {}
    folds = cv.get("folds", [])
    epochs = {fold.get("epochs", 0) for fold in folds}
    at_end = all(fold.get("best_epoch", -1) == fold.get("epochs", 0) - 1 for fold in folds)
    if not folds or not at_end or min(epochs) < 2 or rule_of(cv) not in ("others", "own"):
        return []
    return [
        f"All {len(folds)} folds are at their best in the last epoch that they trained "
        f"({_which(epochs)}): train longer, with a larger trainer.max_epochs."
    ]


def _which(epochs: set[int]) -> str:
    low, high = min(epochs), max(epochs)
    return f"the {ordinal(high)}" if low == high else f"the {ordinal(low)} to {ordinal(high)}"


def test_words(results: Results) -> str:
    """The test result, which the page's head shows large, where the winner is explained."""
    test = results.get("test")
    if not test:
        reason = results.get("no_test")
        return f"There was no test: {reason}." if reason else "The test set has not been used."
    spread, many = results.get("test_std") or {}, len(results.get("refits") or [])
    values = [f"{name} = {plus_minus(value, spread.get(name))}" for name, value in test.items()]
    if not spread:
        return f"On the test set, opened once, after the search: {listing(values)}."
    return (
        f"On the test set, opened once by each of {many} networks, which differ in their seeds, "
        f"after the search: {listing(values)}, mean and standard deviation."
    )


def ensemble_words(results: Results) -> list[str]:
    """The test result of the refits as one network, a row of its own beside their mean."""
    found = results.get("ensemble")
    if not found:
        return []
    who = f"The ensemble of these {found['n']} networks, whose output is the mean of theirs,"
    if not found["test"]:
        reason = f": {found['no_test']}" if found.get("no_test") else ""
        return [f"{who} has no test result{reason}."]
    values = listing([f"{name} = {number(value)}" for name, value in found["test"].items()])
    model = "final/ensemble.ckpt" if not found.get("no_model") else "not saved"
    missing = f" ({found['no_model']})" if found.get("no_model") else ""
    return [f"{who} has {values} on the same test samples; as one model it is {model}{missing}."]


def refit_words(results: Results) -> list[str]:
    """Whether the refit kept a part of the training data to validate on."""
    refits = results.get("refits") or [{}]
    kept = refits[0].get("val_fraction")
    if not kept:
        return []
    return [
        f"The refit trained on {percent(1 - kept)} of the training data and kept the rest, because "
        "something in it needs a validation."
    ]


def content(record: Record) -> str:
    """The winner, its folds and its test result, and how sure all of that is."""
    best = taken(record.results)
    html = ""
    if best is not None:
        html += _winner_parameters(best, record.taken)
        if record.taken is not None:
            html += bullets(borders(record.taken)) or paragraphs(
                ["No parameter lies at the border of its range."]
            )
    elif record.objectives > 1:
        html += paragraphs(["With several objectives no single trial is the best."])
    elif record.results["trials"]["total"]:
        html += paragraphs(["There is no winner, because no trial completed."])
    if record.is_guest:
        return html + paragraphs(_optimism(record))
    html += _folds(record.results) + paragraphs(longer_words(record.results))
    html += paragraphs(
        [
            test_words(record.results),
            *ensemble_words(record.results),
            *refit_words(record.results),
            *noise.floor_words(record.results),
            *noise.holdout_words(record.results),
        ]
    )
    html += trivial.content(record.results)
    html += race.content(record)
    if best is not None or record.results.get("cv"):
        html += "<h3>How sure is that?</h3>\n" + bullets(sureness(record))
    return html + optional(fold_spread(record))


def _optimism(record: Record) -> list[str]:
    """All that is known of how sure a value is which another application found."""
    completed = record.results["trials"]["complete"]
    if record.winner is None or completed < 2:
        return []
    return [
        f"The value was picked as the best of {completed}, which flatters the winner; validate or "
        "test it on data that the search has not seen."
    ]


def tiles(results: Results) -> str:
    """The key figures, large: the search's best value, the folds' means, the test results."""
    cv, best, monitor = results.get("cv") or {}, results["best"], results["monitor"]
    shown = [(f"best {monitor}", number(best["value"]), "in the search")] if best else []
    shown += race.tiles(results)
    for key, mean in cv.items():
        if key.endswith("_mean"):
            name = key.removesuffix("_mean")
            std = cv.get(f"{name}_std")
            shown.append((name, plus_minus(mean, std), f"over {cv['n_splits']} folds"))
    spread, many = results.get("test_std") or {}, len(results.get("refits") or [])
    note = f"on the test set, {many} networks" if spread else "on the test set"
    shown += [
        (name, plus_minus(value, spread.get(name)), note)
        for name, value in (results.get("test") or {}).items()
    ]
    return markup.tiles([*shown, *trivial.tiles(results)])


def _winner_parameters(best: Mapping[str, Any], trial: FrozenTrial | None) -> str:
    distributions = trial.distributions if trial else {}
    rows = []
    for name, value in best["params"].items():
        distribution = distributions.get(name)
        position = place(value, distribution) if distribution else None
        rows.append(
            [
                cell(f"<code>{text(name)}</code>", head=True),
                cell(text(parameter(value))),
                cell(
                    ""
                    if position is None
                    else place_in_range(position, at_border=at_border(position))
                ),
                cell(text(value_range(distribution)) if distribution else ""),
            ]
        )
    columns = ["Parameter", "Best value", "Place in its range", "Range"]
    return table(f"Parameters of trial {best['number']}", columns, rows)


def _folds(results: Results) -> str:
    cv = results.get("cv")
    if not cv and results.get("refits", results.get("test")):
        return paragraphs(["There was no cross-validation."])
    if not cv:
        return paragraphs(
            [
                "The final job did not run: no cross-validation, no refit, no figures of the "
                "model. Run the study's command again with study.final=true to get them."
            ]
        )
    keys = list(dict.fromkeys(key for fold in cv["folds"] for key in fold))
    rows = [[cell(text(number(_of_fold(fold, key)))) for key in keys] for fold in cv["folds"]]
    foot = [
        cell("mean ± std" if key == "fold" else text(_mean_and_std(cv, key)), head=key == "fold")
        for key in keys
    ]
    # Metrics keep the names that the module logs.
    columns = [_EPOCHS.get(key, key) for key in keys]
    title = cross_validation_title(cv)
    title = f"{title[0].upper()}{title[1:]}, each fold at {_JUDGED_AT[rule_of(cv)]}"
    return table(title, columns, rows, foot=foot)


def _of_fold(fold: Mapping[str, Any], key: str) -> object:
    """What is shown of it: an epoch is stored from 0 and read from 1."""
    value = fold.get(key)
    return value + 1 if key in _EPOCHS and value is not None else value


def _mean_and_std(cv: Mapping[str, Any], key: str) -> str:
    mean = cv.get(f"{key}_mean")
    return "" if mean is None else plus_minus(mean, cv.get(f"{key}_std"))
