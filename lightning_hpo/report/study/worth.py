"""The section of a nested cross-validation: what the whole procedure is worth."""

from collections.abc import Iterator, Mapping
from typing import Any

from lightning_hpo.protocol.stages import counterpart
from lightning_hpo.report.html.markup import cell, paragraphs, table, text
from lightning_hpo.results.readings import spread
from lightning_hpo.results.record import Record
from lightning_hpo.results.statistics import interval
from lightning_hpo.results.text import listing, number, plus_minus


def has_one(record: Record) -> bool:
    return not record.is_guest and bool(record.results.get("nested"))


def content(record: Record) -> str:
    """What each outer fold chose and reached, and the mean with its interval."""
    nested = record.results.get("nested") or {}
    n_folds = nested["n_folds"]
    opening = (
        f"In each of {n_folds} outer folds all of it, search and refit, was done once more on the "
        "other samples, and the network was tested on the fold, of which nothing had been seen."
    )
    return paragraphs([opening, *_worth(nested, record), *_against_own_folds(nested, record)]) + (
        _table(nested)
    )


def _worth(nested: Mapping[str, Any], record: Record) -> Iterator[str]:
    """The mean of the monitor's metric, of others where it has none, with its interval."""
    names, n_folds = _metrics(nested), nested["n_folds"]
    name = counterpart(record.monitor, names)
    for each in names if name is None else [name]:
        values = [fold["test"][each] for fold in nested["folds"]]
        low, high = interval(values, overlap=1 / (len(values) - 1))
        mean, std = nested[f"{each}_mean"], nested[f"{each}_std"]
        yield (
            f"{each} is {plus_minus(mean, std)} over the outer folds, mean and standard deviation. "
            f"The 95 % interval of the mean, corrected for what the folds have in common, goes "
            f"from {number(low)} to {number(high)}: that is what a network of this procedure is "
            f"worth on average, where it has {n_folds - 1} of {n_folds} parts of these samples."
        )


def _against_own_folds(nested: Mapping[str, Any], record: Record) -> Iterator[str]:
    """Numbers alone: no test tells how far two such means lie apart by chance."""
    folds, name = spread(record.results), counterpart(record.monitor, _metrics(nested))
    if folds is None or name is None:
        return
    mean = nested[f"{name}_mean"]
    yield (
        f"The winner's own folds have {record.monitor} = {number(folds.mean)} on average; the "
        f"outer folds' {name} minus that is {mean - folds.mean:+.2g}."
    )


def _table(nested: Mapping[str, Any]) -> str:
    names = _metrics(nested)
    rows = [
        [
            cell(str(fold["fold"]), head=True),
            cell(text(_parameters(fold["params"]))),
            *(cell(text(number(fold["test"].get(name)))) for name in names),
        ]
        for fold in nested["folds"]
    ]
    foot = [cell("mean ± std", head=True), cell("")]
    foot += [cell(plus_minus(nested[f"{n}_mean"], nested[f"{n}_std"])) for n in names]
    columns = ["outer fold", "what its search chose", *names]
    return table(f"{nested['n_folds']} outer folds", columns, rows, foot=foot)


def _metrics(nested: Mapping[str, Any]) -> list[str]:
    return [key.removesuffix("_mean") for key in nested if key.endswith("_mean")]


def _parameters(params: Mapping[str, Any]) -> str:
    return listing([f"{name} = {number(value)}" for name, value in params.items()]) or "–"
