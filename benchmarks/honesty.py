"""How often are the verdicts of report and compare wrong, and how often do they see what is there?

    python -m benchmarks.honesty [--repetitions 2000]

Data of known truth are drawn again and again. Each of several linear models sees features of its
own, all equally telling or one less so; they are fitted by ridge regression and cross-validated,
and the very functions that judge for report and compare judge them. Wrong verdicts should stay at
about 5 % (2.5 % where only one side counts). Over folds that depends on how much a fit depends on
its samples, so the worlds differ in it: steady fits (200 samples of 10 features), unsteady ones
(100 of 40), and loud noise, which models on the same samples share.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from benchmarks import honest_tests
from benchmarks.conditions import conditions
from benchmarks.honest_worlds import (
    WORLDS,
    Array,
    World,
    cross_validated,
    folds_of,
    out_of_fold,
    overlap,
    samples_of_folds,
    shuffled,
    with_test,
)
from lightning_hpo.results.bias_corrected import bias_corrected
from lightning_hpo.results.crossed import over_folds
from lightning_hpo.results.statistics import (
    Difference,
    interval,
    judged_together,
    paired,
    prediction,
    welch,
)


def unpaired(a: Array, b: Array, world: World) -> list[Difference]:
    """Of each repetition, by folds of two splits."""
    of_both = (overlap(world), overlap(world))
    return [welch(list(x), list(y), overlap=of_both) for x, y in zip(a, b, strict=True)]


def by_samples(
    a: tuple[Array, NDArray[np.int64]], b: tuple[Array, NDArray[np.int64]], world: World
) -> list[Difference]:
    """Of each repetition, by every sample and the folds that validated it."""
    pairs = zip(*a, *b, strict=True)
    return [over_folds(x, y, f, g, overlap=overlap(world)) for x, f, y, g in pairs]


def on_folds(a: Array, b: Array, world: World) -> list[Difference]:
    """Of each repetition, by the same folds."""
    return [paired(list(x), list(y), overlap=overlap(world)) for x, y in zip(a, b, strict=True)]


def share(happened: Iterable[bool]) -> float:
    """How often it happened, in [0, 1]."""
    return float(np.mean(list(happened)))


def called_different(found: Sequence[Difference]) -> float:
    return share(not each.within_noise for each in found)


def family_wise(found: Array, of_folds: float) -> tuple[float, float]:
    """How often any two equal rows are called different: each pair alone, and all together.

    found: (repetitions, rows, values of one), unpaired; ``of_folds``: their overlap, or 0.
    """
    alone, together = [], []
    for rows in found:
        pairs = [
            welch(list(a), list(b), overlap=(of_folds, of_folds)) for a, b in combinations(rows, 2)
        ]
        alone.append(called_different(pairs) > 0)
        together.append(called_different(judged_together(pairs)) > 0)
    return share(alone), share(together)


def best_beats_second(rng: np.random.Generator, world: World, repetitions: int) -> float:
    """How often the best of equal models is called a clear winner over the second."""
    found = np.stack(folds_of(rng, world, repetitions), axis=1)  # (repetitions, models, folds)
    first, second = np.argsort(found.mean(axis=2), axis=1)[:, :2].T
    rows = np.arange(repetitions)
    return called_different(on_folds(found[rows, first], found[rows, second], world))


def contained(found: Array, world: World, truth: float) -> float:
    """How often the interval of the folds' mean contains ``truth``."""
    reaches = (interval(list(each), overlap=overlap(world)) for each in found)
    return share(low <= truth <= high for low, high in reaches)


def promises(found: Array, world: World, promised: float, margin: float) -> tuple[float, float]:
    """How often ``promised`` is called flattering, and how often confirmed to within ``margin``."""
    reaches = [interval(list(each), overlap=overlap(world)) for each in found]
    flattering = share(low > promised for low, _ in reaches)
    return flattering, share(high <= promised * (1 + margin) for _, high in reaches)


def confirmed_by_mistake(
    rng: np.random.Generator, world: World, repetitions: int, margin: float
) -> float:
    """How often the best of equal models is confirmed, though ``margin`` and more too good.

    Its value is that of one split, its folds are of another of the same samples.
    """
    inputs, targets = world.draw(rng, repetitions, world.n)
    search, final = shuffled(rng, repetitions, world), shuffled(rng, repetitions, world)
    found = np.stack([cross_validated(x, targets, search).mean(axis=1) for x in inputs])
    best, truth = found.argmin(axis=0), float(found.mean())
    promised = found.min(axis=0)
    folds = cross_validated(inputs[best, np.arange(repetitions)], targets, final)
    highs = [interval(list(each), overlap=overlap(world))[1] for each in folds]
    reached = promised * (1 + margin)
    return share((np.array(highs) <= reached) & (truth > reached))


def tested_outside(folds: Array, tested: Array) -> float:
    """How often a test value lies outside the interval in which one more fold would lie."""
    reaches = map(prediction, map(list, folds))
    return share(not low <= x <= high for x, (low, high) in zip(tested, reaches, strict=True))


def noise_alone(rng: np.random.Generator, repetitions: int, *, samples: int, n_folds: int) -> Array:
    """Folds' errors of a perfect model: noise of variance 1."""
    return (rng.normal(size=(repetitions, n_folds, samples)) ** 2).mean(axis=2)


def main() -> None:
    """Print every rate in one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    repetitions = parser.parse_args().repetitions
    print(f"{conditions()}; {repetitions} repetitions\n")
    print("| what | where | wrong | sees |\n|---|---|---|---|", flush=True)
    for part in (
        _pairs,
        _together,
        _leads,
        _promised,
        _chosen,
        _tests,
        _noise,
        _test_sets,
        _networks,
    ):
        part(np.random.default_rng(0), repetitions)
    print("\n| 95 % interval of the mean | contains it |\n|---|---|")
    _coverage(np.random.default_rng(0), repetitions)
    _coverage_on_tests(np.random.default_rng(0), repetitions)
    print("\n| the best of equal trials | its value | corrected | interval contains the truth |")
    print("|---|---|---|---|")
    _corrected(np.random.default_rng(0), repetitions // 4)


def _line(what: str, where: str, wrong: float, sees: float | None = None) -> None:
    seen = "" if sees is None else f"{sees:.1%}"
    print(f"| {what} | {where} | {wrong:.1%} | {seen} |", flush=True)


# How much of its signal the worse model lacks.
_WORSE = 0.5


def _pairs(rng: np.random.Generator, repetitions: int) -> None:
    judges: dict[str, tuple[bool, Callable[[Array, Array, World], list[Difference]]]] = {
        "two models, the same folds": (True, on_folds),
        "two models, other folds": (False, unpaired),
    }
    for what, (same, judge) in judges.items():
        for name, world in WORLDS.items():
            rates = [
                called_different(judge(*folds_of(rng, each, repetitions, same=same), world))
                for each in (world, replace(world, worse=_WORSE))
            ]
            _line(what, name, *rates)
    restless = {"restless": World(n=1000, features=5, chance=0.5)}
    for (name, world), same in product((WORLDS | restless).items(), (True, False)):
        fewer = repetitions if world.n < 1000 else repetitions // 2
        rates = [
            called_different(by_samples(*samples_of_folds(rng, each, fewer, same=same), world))
            for each in (world, replace(world, worse=_WORSE))
        ]
        _line(f"two models, {'the same' if same else 'other'} folds, by samples", name, *rates)


def _together(rng: np.random.Generator, repetitions: int) -> None:
    few, several = repetitions // 4, "any of eight equal rows"
    drawn = {"three seeds": (rng.normal(size=(few, 8, 3)), 0.0)}
    for name in ("steady", "unsteady"):
        world = replace(WORLDS[name], models=8)
        found = np.stack(folds_of(rng, world, few, same=False), axis=1)
        drawn[f"other folds, {name}"] = (found, overlap(world))
    for name, (found, of_folds) in drawn.items():
        alone, together = family_wise(found, of_folds)
        _line(f"{several}, each pair alone", name, alone)
        _line(f"{several}, judged together", name, together)


def _leads(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in WORLDS.items():
        rates = [best_beats_second(rng, replace(world, models=n), repetitions) for n in (2, 6)]
        for rate, n in zip(rates, (2, 6), strict=True):
            _line(f"a clear winner of {n} equal trials", name, rate)


def _promised(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in WORLDS.items():
        (found, _) = folds_of(rng, world, repetitions)
        truth = float(found.mean())
        fair, _ = promises(found, world, truth, 0.1)
        too_good, _ = promises(found, world, truth / 1.5, 0.1)
        _, by_mistake = promises(found, world, truth / 1.1, 0.1)
        _, rightly = promises(found, world, truth, 0.1)
        _line("the search's value flatters", f"{name}; sees 1.5 times", fair, too_good)
        _line("the folds confirm it to 10 %", f"{name}; sees an exact one", by_mistake, rightly)


def _chosen(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in WORLDS.items():
        wrong = confirmed_by_mistake(rng, replace(world, models=20), repetitions // 4, 0.1)
        _line("the folds confirm it to 10 %", f"{name}, best of 20 on the same samples", wrong)


def _tests(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in WORLDS.items():
        size = world.n // world.n_folds
        for n in (size, 5 * size):
            folds, tested = with_test(rng, world, repetitions, n)
            rates = tested_outside(folds, tested), tested_outside(folds, 2 * tested)
            _line("the test lies outside", f"{name}, {n} samples; sees twice the error", *rates)


def _noise(rng: np.random.Generator, repetitions: int) -> None:
    found = noise_alone(rng, repetitions, samples=12, n_folds=8)
    reaches = [interval(list(each), overlap=1 / 7) for each in found]
    above, twice = share(low > 1 for low, _ in reaches), share(2 * low > 1 for low, _ in reaches)
    below, half = share(high < 1 for _, high in reaches), share(high < 2 for _, high in reaches)
    _line("above the noise variance", "8 folds of 12; sees twice", above, twice)
    _line("below the noise variance", "8 folds of 12; sees half", below, half)


# Test samples, and as many repetitions as they leave time for.
_SIZES = {200: 1, 10_000: 2}


def _test_sets(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in honest_tests.TESTED.items():
        for trainings, samples in product((3, 5), _SIZES):
            asked = {"trainings": trainings, "samples": samples}
            asked["repetitions"] = repetitions // _SIZES[samples]
            wrong, sees = (
                honest_tests.called_different(rng, world, honest_tests.of_trainings, by=by, **asked)
                for by in (0.0, honest_tests.WORSE)
            )
            _line(f"two rows, {trainings} refits, {samples} test samples", name, wrong, sees)
    name, asked = next(iter(honest_tests.TESTED)), {"trainings": 5, "samples": 200}
    world, judge = honest_tests.TESTED[name], honest_tests.by_refits_alone
    wrong = honest_tests.called_different(rng, world, judge, repetitions=repetitions, **asked)
    _line("two rows, 5 refits, 200 test samples, by the refits alone", name, wrong)


def _networks(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in honest_tests.SINGLE.items():
        for samples, fewer in _SIZES.items():
            asked = {"trainings": 1, "samples": samples, "repetitions": repetitions // fewer}
            wrong, sees = (
                honest_tests.called_different(rng, world, honest_tests.of_networks, by=by, **asked)
                for by in (0.0, honest_tests.WORSE)
            )
            _line(f"two networks, {samples} test samples", name, wrong, sees)


def _coverage_on_tests(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in honest_tests.TESTED.items():
        for trainings, samples in product((3, 5), _SIZES):
            rate = honest_tests.contained(
                rng,
                world,
                trainings=trainings,
                samples=samples,
                repetitions=repetitions // _SIZES[samples],
            )
            print(f"| over {trainings} refits, {samples} test samples, {name} | {rate:.1%} |")


def _corrected(rng: np.random.Generator, repetitions: int) -> None:
    """Of equal trials, whose mean is the truth: the best one's value and the corrected one."""
    for (name, world), models in product(WORLDS.items(), (2, 20)):
        world = replace(world, models=models)
        inputs, targets = world.draw(rng, repetitions, world.n)
        folds = shuffled(rng, repetitions, world)
        each = np.stack([out_of_fold(x, targets, folds) for x in inputs], axis=1)
        truth, best = float(each.mean()), each.mean(axis=2).min(axis=1)
        found = [bias_corrected(x, minimize=True, draws=300) for x in each.astype(np.float32)]
        known = [corrected for corrected in found if corrected is not None]
        value = float(np.mean([corrected.value for corrected in known]))
        inside = share(corrected.low <= truth <= corrected.high for corrected in known)
        off = f"{best.mean() / truth - 1:+.1%} | {value / truth - 1:+.1%}"
        print(f"| of {models}, {name} | {off} | {inside:.1%} |", flush=True)


def _coverage(rng: np.random.Generator, repetitions: int) -> None:
    for name, world in WORLDS.items():
        (found, _) = folds_of(rng, world, repetitions)
        print(f"| over 5 folds, {name} | {contained(found, world, float(found.mean())):.1%} |")
    for n in (3, 5):
        reaches = [interval(list(v), overlap=0) for v in rng.normal(size=(repetitions, n))]
        print(f"| over {n} seeds | {share(low <= 0 <= high for low, high in reaches):.1%} |")


if __name__ == "__main__":
    main()
