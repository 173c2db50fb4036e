"""At which epoch the folds of a cross-validation are judged, and how long a refit trains by them.

Of many epochs one looks good on few samples by luck, so a fold that is judged at its own best epoch
is judged too well. The other folds, which validate on other samples, choose better.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from lightning_hpo.protocol.averages import mean

# "others": at the epoch that the other folds choose. "last": at its last one, as under a schedule.
# "fixed": where a refit of study.final_epochs ends. "own": at its own best, in older studies.
Rule = Literal["others", "last", "fixed", "own"]
# Holds the epochs of a fit's ``curve``, beside its metrics.
EPOCH = "epoch"


@dataclass(frozen=True)
class FoldCurve:
    """A fold's monitor at each of its validations; ``epochs``: 0-based, ascending."""

    epochs: Sequence[int]
    values: Sequence[float]

    @classmethod
    def of(cls, curve: Mapping[str, Sequence[float]], monitor: str) -> "FoldCurve":
        """Of the ``curve`` that a fit tells."""
        return cls([int(epoch) for epoch in curve[EPOCH]], curve[monitor])

    def reached(self, epoch: int) -> int:
        """The latest validated epoch up to this one, which the fold may not have come to."""
        return self.epochs[self._index(epoch)]

    def value(self, epoch: int) -> float:
        """As of the latest validation up to this epoch."""
        return self.values[self._index(epoch)]

    def _index(self, epoch: int) -> int:
        return max(0, bisect_right(self.epochs, epoch) - 1)


def judged_epochs(
    curves: Sequence[FoldCurve],
    rule: Rule,
    *,
    mode: str,
    final_epochs: int | None = None,
    repeats: Sequence[int] = (),
) -> list[int]:
    """For each fold the 0-based epoch at which it is judged, always one that it has validated.

    ``rule`` "others": where the mean of the other folds' curves is best; where the fold ended
    before, its last one, which is also that of a fold alone: no epoch of it is chosen by others.
    "fixed": where a refit of ``final_epochs`` ends. ``repeats``: the repeat of each curve; folds of
    another one validate on the same samples, so they are none of the others.
    """
    if rule == "fixed":
        assert final_epochs is not None
        return [curve.reached(final_epochs - 1) for curve in curves]
    if rule == "own":
        return [best_epoch([curve], mode=mode) for curve in curves]
    if rule == "last":
        return [curve.epochs[-1] for curve in curves]
    of_repeats = repeats or [0] * len(curves)
    return [_by_others(curves, fold, of_repeats, mode=mode) for fold in range(len(curves))]


def _by_others(curves: Sequence[FoldCurve], fold: int, repeats: Sequence[int], *, mode: str) -> int:
    others = [
        curve
        for other, curve in enumerate(curves)
        if other != fold and repeats[other] == repeats[fold]
    ]
    if not others:
        return curves[fold].epochs[-1]
    return curves[fold].reached(best_epoch(others, mode=mode))


def best_epoch(curves: Sequence[FoldCurve], *, mode: str) -> int:
    """The epoch at which the mean of ``curves`` is best; a later one must be strictly better.

    A fold counts with its last value in the epochs that it did not reach.
    """
    first = max(curve.epochs[0] for curve in curves)
    candidates = sorted({epoch for curve in curves for epoch in curve.epochs if epoch >= first})
    sign = 1 if mode == "min" else -1
    return min(candidates, key=lambda epoch: sign * mean([c.value(epoch) for c in curves]))


def refit_epochs(curves: Sequence[FoldCurve], *, mode: str) -> int:
    """How long a refit trains: up to the epoch that all folds together choose."""
    return best_epoch(curves, mode=mode) + 1


@dataclass(frozen=True)
class Judged:
    """Of each fold the 0-based epoch at which it is judged, by ``rule``, and its metrics there."""

    rule: Rule
    epochs: Sequence[int]
    metrics: Sequence[Mapping[str, float]]


def judged(folds: Sequence[Mapping[str, Any]], monitor: str) -> Judged:
    """The folds of a final job by their results; those of older studies keep what they say."""
    rules = {rule_of(fold) for fold in folds}
    curves = [curve_of(fold, monitor) for fold in folds]
    known = [curve for curve in curves if curve is not None]
    if len(rules) > 1 or len(known) < len(curves):
        return _as_they_say(folds, "last" if rules == {"last"} else "own")
    (rule,) = rules
    asked = {"mode": folds[0]["mode"], "final_epochs": folds[0].get("final_epochs")}
    repeats = [fold.get("repeat", 0) for fold in folds]
    epochs = judged_epochs(known, rule, repeats=repeats, **asked)
    metrics = [metrics_at(fold["curve"], at) for fold, at in zip(folds, epochs, strict=True)]
    return Judged(rule, epochs, metrics)


def _as_they_say(folds: Sequence[Mapping[str, Any]], rule: Rule) -> Judged:
    ends = [fold["epochs"] - 1 if rule == "last" else fold["best_epoch"] for fold in folds]
    return Judged(rule, ends, [fold["metrics"] for fold in folds])


def rule_of(found: Mapping[str, Any]) -> Rule:
    """By which rule a fold's result, or a whole ``cv`` of ``results.json``, is judged."""
    said = found.get("judged_at")
    for rule in get_args(Rule):
        if said == rule:
            return cast(Rule, rule)
    # Older ones say no more than this.
    return "last" if found.get("at_last_epoch") else "own"


def curve_of(fold: Mapping[str, Any], monitor: str) -> FoldCurve | None:
    """The monitor's curve in a fold's result; None: one of an older study has none."""
    curve = fold.get("curve") or {}
    return FoldCurve.of(curve, monitor) if monitor in curve else None


def metrics_at(curve: Mapping[str, Sequence[float]], epoch: int) -> dict[str, float]:
    """What a fit's validation logged in ``epoch``, which was validated."""
    at = curve[EPOCH].index(epoch)
    found = {name: values[at] for name, values in curve.items() if name != EPOCH}
    # Not a number: this metric was not logged then.
    return {name: value for name, value in found.items() if value == value}
