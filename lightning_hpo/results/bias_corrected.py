"""What a search's best cross-validated value is worth, corrected for having been chosen (BBC-CV).

The value with which a trial wins is the best of many, and good partly by luck. Tsamardinos,
Greasidou and Borboudakis (2018, Machine Learning 107, 1895-1922) draw the samples again with
replacement, let the best trial win on those that were drawn, and take its value on those that were
not: nothing is trained for it. That a fold's best epoch was chosen on its own samples stays in.

Shapes: C trials (configurations), N samples, B draws of samples, D of them at a time.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import TrialState

from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.trial_values import TrialValues, read_trial_values
from lightning_hpo.results.results import Corrected
from lightning_hpo.results.trials import best_trial

Table = NDArray[np.float32]

# Draws at a time, whose weights take 4 bytes a sample and draw.
_AT_ONCE = 64
_EDGES = (2.5, 97.5)


@dataclass(frozen=True)
class BiasCorrected:
    """The mean over draws, and the percentiles between which 95 of 100 draws lie."""

    value: float
    low: float
    high: float


def bias_corrected(
    values_cn: Table, *, minimize: bool, draws: int = 1000, seed: int = 0
) -> BiasCorrected | None:
    """Of trials whose ``values_cn`` on the same samples each had as its mean.

    None for fewer than two samples.
    """
    n = values_cn.shape[1]
    if n < 2:
        return None
    rng, found = np.random.default_rng(seed), np.empty(draws)
    for start in range(0, draws, _AT_ONCE):
        end = min(start + _AT_ONCE, draws)
        weights_dn = _weights(rng, end - start, n)
        # Means on the samples drawn, but for a factor that all trials share.
        sums_cd = values_cn @ weights_dn.T
        winners = sums_cd.argmin(0) if minimize else sums_cd.argmax(0)
        for row, winner in enumerate(winners):
            left_out = values_cn[winner, weights_dn[row] == 0]
            found[start + row] = left_out.mean(dtype=np.float64)
    low, high = np.percentile(found, _EDGES)
    return BiasCorrected(float(found.mean()), float(low), float(high))


def _weights(rng: np.random.Generator, draws: int, n: int) -> Table:
    """How often each of N samples was drawn (D, N); at least one was not."""
    weights = np.empty((draws, n), dtype=np.float32)
    for row in weights:
        row[:] = 1
        while row.all():
            row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return weights


def of_search(study: Study, study_dir: Path, *, at_last_epoch: bool) -> Corrected | None:
    """As ``results.json`` has it; None where fewer than two trials left all of their samples.

    Trials that were pruned have not seen all folds, and are left out; where the best trial is one
    that left no samples, nothing is known of how the search chose. ``at_last_epoch``: a trial's
    value is that of its last epochs.
    """
    best = best_trial(study)
    known = _known(study, study_dir)
    if best is None or best.number not in known or len(known) < 2:
        return None
    table = np.stack([found.values for found in known.values()])
    minimize = study.direction is StudyDirection.MINIMIZE
    found = bias_corrected(table, minimize=minimize)
    if found is None:
        return None
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "trials": len(known),
        "left_out": len(ended) - len(known),
        "samples": table.shape[1],
        "at_last_epoch": at_last_epoch,
    }


def _known(study: Study, study_dir: Path) -> dict[int, TrialValues]:
    """Of whole trials that left the samples of the first which left any; by number."""
    folder = StudyFolder(study_dir)
    known: dict[int, TrialValues] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if STOPPED_AFTER_FOLD in trial.user_attrs:
            continue
        found = read_trial_values(folder.trial(trial.number).losses)
        first = next(iter(known.values()), found)
        if found is not None and first is not None and found.is_of_the_samples_of(first):
            known[trial.number] = found
    return known
