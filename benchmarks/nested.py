"""Is the nested estimate of a procedure unbiased, and how much too good is the best CV value?

    python -m benchmarks.nested [--repetitions 1000] [--models 20]

Data of known truth are drawn again and again, as in honesty.py: the best of several equally good
ridge regressions is chosen by 5-fold cross-validation and fitted on all samples. Its true risk is
known exactly. The naive estimate is the value that it was chosen for; the nested one repeats choice
and fit in each of 5 outer folds and tests on the fold. Both are held against the true risk of the
networks that they speak of, in per cent of it.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.conditions import conditions
from benchmarks.honest_worlds import (
    WORLDS,
    Array,
    World,
    cross_validated,
    errors,
    fitted,
    overlap,
    shuffled,
)
from lightning_hpo.results.statistics import interval

# Worlds at a time: what fits into memory.
_CHUNK = 50


@dataclass(frozen=True)
class Estimates:
    """Of each repetition (repetitions,), or of each of its outer folds (repetitions, folds).

    ``naive``: the cross-validated error that the winner was chosen for; ``truth``: its true risk
    when fitted on all samples. ``nested``: the error of each outer fold's winner on the fold;
    ``truths``: its true risk.
    """

    naive: Array
    truth: Array
    nested: Array
    truths: Array


def true_risk(world: World, weights: Array) -> Array:
    """Expected squared error (repetitions,) on new samples, of any of the equally good models."""
    of_others = world.models - 1
    apart = ((weights - 1 / np.sqrt(world.features)) ** 2).sum(axis=1)
    return world.noise**2 + of_others + apart


def winners(
    inputs: Array, targets: Array, folds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    """The model (repetitions,) of the least cross-validated error, and that error."""
    found = np.stack([cross_validated(x, targets, folds).mean(axis=1) for x in inputs])
    return found.argmin(axis=0), found.min(axis=0)


def estimated(rng: np.random.Generator, world: World, repetitions: int) -> Estimates:
    """One procedure, chosen and judged on the same samples, and nested."""
    inputs, targets = world.draw(rng, repetitions, world.n)
    rows = np.arange(repetitions)
    best, naive = winners(inputs, targets, shuffled(rng, repetitions, world))
    truth = true_risk(world, fitted(inputs[best, rows], targets))
    outer = shuffled(rng, repetitions, world)
    found = [_outer_fold(rng, world, inputs, targets, outer, fold) for fold in range(world.n_folds)]
    nested, truths = (np.stack(each, axis=1) for each in zip(*found, strict=True))
    return Estimates(naive, truth, nested, truths)


def _outer_fold(
    rng: np.random.Generator,
    world: World,
    inputs: Array,
    targets: Array,
    outer: NDArray[np.int64],
    fold: int,
) -> tuple[Array, Array]:
    """The winner's error on the fold, and its true risk; it was chosen and fitted on the others."""
    repetitions = len(targets)
    rows, column = np.arange(repetitions), np.arange(repetitions)[:, None]
    val = outer[:, fold]
    train = np.delete(outer, fold, axis=1).reshape(repetitions, -1)
    seen, seen_targets = inputs[:, column, train], targets[column, train]
    inner = replace(world, n=train.shape[1])
    best, _ = winners(seen, seen_targets, shuffled(rng, repetitions, inner))
    weights = fitted(seen[best, rows], seen_targets)
    tested = errors(inputs[best, rows][column, val], targets[column, val], weights)
    return tested.mean(axis=1), true_risk(world, weights)


def in_chunks(rng: np.random.Generator, world: World, repetitions: int) -> Estimates:
    """All repetitions, so many at a time as memory holds."""

    def parts() -> Iterator[Estimates]:
        for start in range(0, repetitions, _CHUNK):
            yield estimated(rng, world, min(_CHUNK, repetitions - start))

    found = list(parts())
    names = Estimates.__annotations__
    joined = {name: np.concatenate([getattr(part, name) for part in found]) for name in names}
    return Estimates(**joined)


def bias(estimates: Array, truth: Array) -> tuple[float, float]:
    """Of an estimate (repetitions,), relative to the mean true risk, with its standard error."""
    apart = (estimates - truth) / truth.mean()
    return float(apart.mean()), float(apart.std(ddof=1) / np.sqrt(len(apart)))


def contained(found: Estimates, world: World) -> float:
    """How often the interval of the outer folds' mean contains what the procedure is worth."""
    worth = found.truths.mean()
    reaches = (interval(list(folds), overlap=overlap(world)) for folds in found.nested)
    return float(np.mean([low <= worth <= high for low, high in reaches]))


def main() -> None:
    """Print the bias of both estimates, and how often the nested one's interval is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--models", type=int, default=20)
    told = parser.parse_args()
    print(f"{conditions()}; {told.repetitions} repetitions, the best of {told.models} models\n")
    print(
        "| where | the value it was chosen for | nested | costs of a fifth fewer samples | 95 % |"
    )
    print("|---|---|---|---|---|")
    for name, world in WORLDS.items():
        world = replace(world, models=told.models)
        found = in_chunks(np.random.default_rng(0), world, told.repetitions)
        naive = bias(found.naive, found.truth)
        nested = bias(found.nested.mean(axis=1), found.truths.mean(axis=1))
        fewer = bias(found.truths.mean(axis=1), found.truth)
        cells = " | ".join(f"{100 * b:+.2f} ± {100 * se:.2f} %" for b, se in (naive, nested, fewer))
        print(f"| {name} | {cells} | {contained(found, world):.1%} |", flush=True)


if __name__ == "__main__":
    main()
