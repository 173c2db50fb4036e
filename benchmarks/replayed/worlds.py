"""Worlds in which a search can be replayed: a forest answers for parameters that nobody tried.

A table of some hundred trials has no line near most points of a space of seven dimensions, and the
nearest one tells little about them. So the curves are interpolated by a forest, as in surrogate
benchmarks (Eggensperger et al. 2015), each tree predicting all of a curve, so that its epochs
belong together. Three things keep that from being too smooth and too sure:

- Each world is grown on a bootstrap sample of the recording, so that over many worlds an interval
  holds what the table does not know, too.
- What the forest cannot tell from the parameters is a trial's luck: the curve of a suggestion is
  the predicted one plus the whole error curve of a trial left out of the sample, one of those whose
  predicted objective is closest. So early epochs mislead as they do in the recording.
- A search is judged by the predicted objective of the trial that it calls best, without its luck.

All in logarithms, so that no diverged trial outweighs the others. The luck holds the forest's own
errors too, so worlds are noisier than fits are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor

from benchmarks.recordings import Recording
from benchmarks.replayed.forest import Array, Forest
from benchmarks.replayed.spaces import points, random_params

N_TREES = 50
# So many of the trials left out, of about the same objective, lend a suggestion their luck.
N_ALIKE = 10
# A world's best and median objective are those of so many random points.
N_SURVEYED = 2000
_MOST_TRIALS = 10_000


class World:
    """One world of ``recording``: what its trials would report, and what they are worth."""

    def __init__(self, recording: Recording, seed: int) -> None:
        self.recording, self.seed = recording, seed
        rng = np.random.default_rng(seed)
        told = np.log(np.column_stack([recording.curves, recording.values]))
        drawn = rng.integers(len(told), size=len(told))
        left_out = np.setdiff1d(np.arange(len(told)), drawn)
        at = points(recording.params, recording.space)
        trees = ExtraTreesRegressor(N_TREES, random_state=seed)
        self._forest = Forest(trees.fit(at[drawn], told[drawn]))
        self._expected = self._forest.predict(at[left_out])
        self._luck = told[left_out] - self._expected
        self._lots = rng.integers(min(N_ALIKE, len(left_out)), size=_MOST_TRIALS)
        surveyed = np.exp(self._predict(random_params(recording, N_SURVEYED))[:, -1])
        self._best, self._median = surveyed.min(), np.median(surveyed)

    def trial(self, params: Mapping[str, Any], number: int) -> tuple[Array, float]:
        """What trial ``number`` reports, and its objective."""
        expected = self._predict([params])[0]
        alike = np.argsort(abs(self._expected[:, -1] - expected[-1]), kind="stable")
        told = np.exp(expected + self._luck[alike[self._lots[number]]])
        return told[:-1], float(told[-1])

    def regret(self, params: Mapping[str, Any]) -> float:
        """What the objective lacks, without luck: 0 is this world's best, 1 its median."""
        worth = np.exp(self._predict([params])[0, -1])
        return float((worth - self._best) / (self._median - self._best))

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of the objectives left out of this world and what it says of them."""
        expected = self._expected[:, -1]
        return float(spearmanr(expected, expected + self._luck[:, -1]).statistic)

    def _predict(self, params: list[Mapping[str, Any]]) -> Array:
        return self._forest.predict(points(params, self.recording.space))
