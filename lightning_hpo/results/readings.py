"""What is read off a study's record: the folds' spread, the test value, epochs, parameters."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from lightning_hpo.protocol.stages import counterpart
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import Results


@dataclass(frozen=True)
class Spread:
    """The monitor over the folds: mean, standard deviation, each fold's value.

    ``overlap``: the validated samples of a fold in those that it trains on.
    """

    mean: float
    std: float
    folds: tuple[float, ...]
    overlap: float


def spread(results: Results) -> Spread | None:
    """The spread of the study's monitor, where the final job cross-validated the winner."""
    cv, monitor = results.get("cv"), results["monitor"]
    if not cv or cv.get(f"{monitor}_mean") is None or cv.get(f"{monitor}_std") is None:
        return None
    folds = tuple(fold[monitor] for fold in cv["folds"] if fold.get(monitor) is not None)
    return Spread(cv[f"{monitor}_mean"], cv[f"{monitor}_std"], folds, overlap_of(cv))


def overlap_of(cv: Mapping[str, Any]) -> float:
    """Of a cross-validation's entry: the validated samples of a fold in those that it trains on.

    In each repeat all samples take turns: of five folds each validates on a fourth of the others.
    """
    in_a_repeat = len(cv.get("folds", [])) // (cv.get("repeats") or 1)
    return 1 / (in_a_repeat - 1) if in_a_repeat > 1 else 0.0


def test_value(results: Results) -> float | None:
    """The test set's value of the quantity that the study's monitor measures."""
    test = results.get("test") or {}
    name = counterpart(str(results["monitor"]), test)
    return None if name is None else test[name]


def epochs_reported(trial: FrozenTrial) -> int:
    """Epochs that a trial's intermediate values stand for; each fold of a trial has its own.

    Steps are epochs, counted from 0: where the first report comes at step 49, each stands for 50.
    """
    steps = trial.intermediate_values
    if not steps:
        return 0
    every = min(steps) + 1
    return len(steps) if every == 1 else min(len(steps) * every, max(steps) + 1)


def conditional_parameters(record: Record) -> dict[str, int]:
    """Parameters that only some trials have, with the number of trials that have them."""
    asked = [trial for trial in record.trials if trial.params]
    counts = Counter(name for trial in asked for name in trial.params)
    return {name: many for name, many in counts.items() if many < len(asked)}
