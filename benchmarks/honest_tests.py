"""Worlds of known truth for verdicts on a test set: trainings vary, and so do the samples.

Shapes: R trainings of a row, N test samples, D inputs that a row sees.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # comes with scikit-learn

from lightning_hpo.results.crossed import crossed, risk_interval, single_networks
from lightning_hpo.results.statistics import Difference, welch

Losses = NDArray[np.float64]

_INPUTS = 10


@dataclass(frozen=True)
class Regression:
    """Squared errors of linear models. Two rows miss parts of their own, and share the noise.

    ``wrong``: the length of what the mean training gets wrong; ``apart``: of what a training adds
    to that by chance. The noise has variance 1.
    """

    wrong: float = 0.5
    apart: float = 0.3

    @property
    def risk(self) -> float:
        return 1 + self.wrong**2 + self.apart**2

    def worse(self, by: float) -> "Regression":
        return replace(self, wrong=float(np.sqrt(self.wrong**2 + by * self.risk)))

    def pair(
        self, rng: np.random.Generator, trainings: int, samples: int, by: float = 0.0
    ) -> tuple[Losses, Losses]:
        """Of two rows (R, N) each, the second with a risk that is ``by`` of it worse."""
        noise = rng.normal(size=samples)
        a, b = (each._tested(rng, trainings, noise) for each in (self, self.worse(by)))
        return a, b

    def _tested(self, rng: np.random.Generator, trainings: int, noise: Losses) -> Losses:
        chance = self.apart * rng.normal(size=(trainings, _INPUTS))
        weights_rd = (self.wrong + chance) / np.sqrt(_INPUTS)
        inputs_nd = rng.normal(size=(len(noise), _INPUTS))
        found: Losses = (noise + weights_rd @ inputs_nd.T) ** 2
        return found


@dataclass(frozen=True)
class Classification:
    """Errors of classifiers, 0 or 1: a sample is hard for all, for a row, and for a training.

    ``risk``: the share of errors. ``apart``: how much one training is better than another.
    """

    risk: float = 0.1
    apart: float = 0.05

    def worse(self, by: float) -> "Classification":
        return replace(self, risk=self.risk * (1 + by))

    def pair(
        self, rng: np.random.Generator, trainings: int, samples: int, by: float = 0.0
    ) -> tuple[Losses, Losses]:
        hard = rng.normal(size=samples)
        a, b = (each._tested(rng, trainings, hard) for each in (self, self.worse(by)))
        return a, b

    def _tested(self, rng: np.random.Generator, trainings: int, hard: Losses) -> Losses:
        of_row = 0.9 * hard + np.sqrt(1 - 0.9**2) * rng.normal(size=len(hard))
        of_training = self.apart * rng.normal(size=(trainings, 1))
        of_both = 0.5 * rng.normal(size=(trainings, len(hard)))
        spread = np.sqrt(1 + self.apart**2 + 0.5**2)
        margin = -spread * float(stats.norm.ppf(self.risk))
        found: Losses = (of_row + of_training + of_both > margin).astype(np.float64)
        return found


TESTED: dict[str, Regression | Classification] = {
    "squared errors, trainings alike": Regression(apart=0.1),
    "squared errors, trainings unlike": Regression(apart=0.6),
    "10 % wrong, trainings alike": Classification(apart=0.02),
    "10 % wrong, trainings unlike": Classification(apart=0.1),
    "2 % wrong, trainings alike": Classification(risk=0.02, apart=0.02),
}
# Two networks trained once each differ by their trainings too: equal risks need equal trainings.
SINGLE: dict[str, Regression | Classification] = {
    "squared errors": Regression(apart=0.0),
    "10 % wrong": Classification(apart=0.0),
    "2 % wrong": Classification(risk=0.02, apart=0.0),
}
# By how much of its risk the worse row is worse.
WORSE = 0.2


def of_trainings(a_rn: Losses, b_rn: Losses) -> Difference:
    return crossed(a_rn, b_rn)


def by_refits_alone(a_rn: Losses, b_rn: Losses) -> Difference:
    """As if there were no other test samples."""
    return welch(list(a_rn.mean(axis=1)), list(b_rn.mean(axis=1)), overlap=(0, 0))


def of_networks(a_rn: Losses, b_rn: Losses) -> Difference:
    return single_networks(a_rn[0], b_rn[0])


def called_different(
    rng: np.random.Generator,
    world: Regression | Classification,
    judge: Callable[[Losses, Losses], Difference],
    *,
    trainings: int,
    samples: int,
    repetitions: int,
    by: float = 0.0,
) -> float:
    """How often two rows are called different, the second ``by`` so much of its risk worse."""
    pairs = (world.pair(rng, trainings, samples, by) for _ in range(repetitions))
    return float(np.mean([not judge(a, b).within_noise for a, b in pairs]))


def contained(
    rng: np.random.Generator,
    world: Regression | Classification,
    *,
    trainings: int,
    samples: int,
    repetitions: int,
) -> float:
    """How often a row's interval contains its risk."""
    found = 0
    for _ in range(repetitions):
        low, high = risk_interval(world.pair(rng, trainings, samples)[0])
        found += low <= world.risk <= high
    return found / repetitions
