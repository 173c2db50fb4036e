"""Does a race find a truly better winner than more trials of the same cost, and does it lie?

    python -m benchmarks.race_honesty [--data-sets 150]

A search among configurations whose true risk is known: a bowl in four parameters, one of which, a
learning rate, is best just below an edge beyond which fits diverge (with ``edge``). What a trial
measures is its risk plus noise: of the data, which every split of them shares, of the split and of
the seed. The search draws half of its trials near the best so far. With a race the study has fewer
trials: all that its race trains, the other study gets as more of them. Who runs, leaves and wins
is decided by the very functions that decide in a study.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # comes with scikit-learn

from benchmarks.conditions import conditions
from lightning_hpo.results import race

Array = NDArray[np.float64]

# What a network is worth that learned nothing.
_DIVERGED = 1.0
_FOLDS = 5


@dataclass(frozen=True)
class World:
    """Noise by its standard deviations; the losses of good configurations lie about 0.2 apart.

    ``edge``: where fits begin to diverge, along the first parameter; inf: nowhere.
    """

    of_data: float = 0.01
    of_split: float = 0.02
    of_seed: float = 0.02
    edge: float = math.inf
    dimensions: int = 4

    def risk(self, x: Array) -> float:
        """Of a fit that does not diverge: lowest at 0.6 of each parameter."""
        return float(0.3 + 0.5 * np.square(x - 0.6).sum())

    def diverges(self, x: Array) -> float:
        """How often a fit does, in [0, 1]."""
        return 0.0 if math.isinf(self.edge) else 1 / (1 + math.exp((self.edge - x[0]) / 0.02))

    def true_risk(self, x: Array) -> float:
        """Of one more fit, diverged or not."""
        lost = self.diverges(x)
        return (1 - lost) * self.risk(x) + lost * _DIVERGED


class DataSet:
    """Measures configurations on one set of data."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.world, self.rng = world, rng
        self.shifts: dict[bytes, float] = {}

    def measure(self, x: Array) -> float | None:
        """The value of one fit on a split; None: it diverged."""
        if self.rng.random() < self.world.diverges(x):
            return None
        noise = self.rng.normal(0, self.world.of_split) + self.rng.normal(0, self.world.of_seed)
        return self.world.risk(x) + self._shift(x) + noise

    def _shift(self, x: Array) -> float:
        shift = self.shifts.get(x.tobytes())
        if shift is None:
            shift = self.shifts[x.tobytes()] = self.rng.normal(0, self.world.of_data)
        return shift


Trial = tuple[float, Array]


def search(data: DataSet, trials: list[Trial], n: int) -> list[Trial]:
    """``trials`` and ``n`` more; one that diverges has a value that nobody chooses."""
    found = list(trials)
    for _ in range(n):
        x = data.rng.random(data.world.dimensions)
        if len(found) > 10 and data.rng.random() < 0.5:
            best = min(found, key=lambda trial: trial[0])[1]
            x = np.clip(best + data.rng.normal(0, 0.1, best.shape), 0, 1)
        value = data.measure(x)
        found.append((math.inf if value is None else value, x))
    return found


def raced(
    data: DataSet, trials: Sequence[Trial], sizes: Sequence[int]
) -> tuple[race.Standing, dict[int, list[float | None]], list[Array]]:
    """The race of the best of ``trials``: how it ended, its values, its candidates."""
    candidates = [x for value, x in sorted(trials, key=lambda t: t[0]) if math.isfinite(value)]
    numbers = list(range(len(candidates[: sizes[0]])))
    values: dict[int, list[float | None]] = {n: [] for n in numbers}
    while (found := race.standing(numbers, values, sizes, minimize=True)).missing:
        for number in found.missing:
            values[number].append(data.measure(candidates[number]))
    return found, values, candidates


@dataclass(frozen=True)
class Outcome:
    """True risks of the winners of one data set, and whether each diverges in five fresh fits."""

    without: float
    with_race: float
    smallest: float
    oracle: float
    diverges: tuple[bool, bool]


def compared(world: World, rng: np.random.Generator, n: int, sizes: Sequence[int]) -> Outcome:
    """One data set: ``n`` trials and a race, or those trials and as many more as the race fits."""
    data = DataSet(world, rng)
    trials = search(data, [], n)
    found, values, candidates = raced(data, trials, sizes)
    fits = sum(map(len, found.rounds))
    more = min(search(data, trials, fits), key=lambda trial: trial[0])[1]
    won = race.winner(found, values, minimize=True)
    assert won is not None
    # As good as any: the sizes of networks say nothing of their risks here.
    near = [k for k, apart in race.told_apart(won, values, minimize=True).items() if not apart]
    small = int(rng.choice([won, *(k for k in near if k in found.racing)]))
    picks = more, candidates[won]
    lost = [bool((rng.random(_FOLDS) < world.diverges(x)).any()) for x in picks]
    return Outcome(
        world.true_risk(picks[0]),
        world.true_risk(picks[1]),
        world.true_risk(candidates[small]),
        min(world.true_risk(x) for _, x in trials),
        (lost[0], lost[1]),
    )


def told_apart(
    rng: np.random.Generator, repetitions: int, sizes: Sequence[int], *, lead: float = 0.0
) -> float:
    """How often a race ends with any that is said to be beaten: of equals, by mistake.

    ``lead``: of one candidate over the others, in standard deviations of a value.
    """
    apart = 0
    for _ in range(repetitions):
        numbers = list(range(sizes[0]))
        values: dict[int, list[float | None]] = {n: [] for n in numbers}
        while (found := race.standing(numbers, values, sizes, minimize=True)).missing:
            for number in found.missing:
                values[number].append(rng.normal() - lead * (number == 0))
        won = race.winner(found, values, minimize=True)
        assert won is not None
        apart += any(race.told_apart(won, values, minimize=True).values())
    return apart / repetitions


WORLDS = {
    "no edge": World(),
    "an edge of divergence": World(edge=0.65),
    "loud noise": World(of_split=0.05, of_seed=0.05),
}


def main() -> None:
    """Print the winners' true risks, and how often a race says that any is beaten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=150)
    n = parser.parse_args().data_sets
    print(f"{conditions()}; {n} data sets\n")
    columns = "search", "race", "without", "with", "gain", "p", "of the oracle's"
    columns += "diverge without, with", "the smallest instead"
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for name, world in WORLDS.items():
        for n_trials, sizes in ((100, race.FULL), (40, race.SHORT)):
            rng = np.random.default_rng(0)
            found = [compared(world, rng, n_trials, sizes) for _ in range(n)]
            _line(f"{n_trials} trials, {name}", sizes, found)
    leads = 0, 2, 4
    print("\n| a race of | " + " | ".join(f"lead of {lead} sd" for lead in leads) + " |")
    print(f"|{'---|' * (1 + len(leads))}")
    for sizes in (race.FULL, race.SHORT):
        rng = np.random.default_rng(0)
        rates = [told_apart(rng, 10 * n, sizes, lead=lead) for lead in leads]
        print(f"| {_words(sizes)} | {' | '.join(f'{rate:.1%}' for rate in rates)} |", flush=True)


def _line(what: str, sizes: Sequence[int], found: Sequence[Outcome]) -> None:
    def mean(of: Callable[[Outcome], float]) -> float:
        return float(np.mean([of(each) for each in found]))

    gains = [each.without - each.with_race for each in found]
    gap = mean(lambda each: each.without - each.oracle)
    p = float(stats.ttest_1samp(gains, 0).pvalue)
    lost = [mean(lambda each, k=k: each.diverges[k]) for k in (0, 1)]  # type: ignore[misc]
    cells = [
        what,
        _words(sizes),
        f"{mean(lambda each: each.without):.4f}",
        f"{mean(lambda each: each.with_race):.4f}",
        _with_error(gains),
        f"{p:.2g}",
        f"{np.mean(gains) / gap:.0%}",
        f"{lost[0]:.0%}, {lost[1]:.0%}",
        _with_error([each.smallest - each.with_race for each in found]),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def _with_error(values: Sequence[float]) -> str:
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    return f"{np.mean(values):+.4f} ± {error:.4f}"


def _words(sizes: Sequence[int]) -> str:
    return "-".join(map(str, sizes))


if __name__ == "__main__":
    main()
