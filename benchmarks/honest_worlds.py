"""Data of known truth and ridge regressions on them, for benchmarks/honesty.py."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Data of ``n`` samples and one block of ``features`` for each of ``models``.

    ``worse``: the share of its signal that the last model's block lacks, in [0, 1]. ``noise``: its
    standard deviation, each block's signal having 1. ``chance``: of what each training adds to
    each weight by chance.
    """

    n: int = 200
    features: int = 10
    noise: float = 1.0
    n_folds: int = 5
    models: int = 2
    worse: float = 0.0
    chance: float = 0.0

    def draw(self, rng: np.random.Generator, repetitions: int, n: int) -> tuple[Array, Array]:
        """Inputs (models, repetitions, n, features) and targets (repetitions, n)."""
        inputs = rng.normal(size=(self.models, repetitions, n, self.features))
        signal = np.ones(self.models)
        # All have one part in common, which no model sees: so worse ones leave the others as are.
        signal[-1] -= self.worse
        sums = inputs.sum(axis=3) / np.sqrt(self.features)  # (models, repetitions, n)
        targets = np.einsum("m,mrn->rn", signal, sums)
        return inputs, targets + self.noise * rng.normal(size=targets.shape)


STEADY, UNSTEADY, LOUD = World(), World(n=100, features=40), World(noise=3.0)
WORLDS = {"steady": STEADY, "unsteady": UNSTEADY, "loud noise": LOUD}


def shuffled(rng: np.random.Generator, repetitions: int, world: World) -> NDArray[np.int64]:
    """Folds of samples (repetitions, folds, samples of one), another split each time."""
    order = np.argsort(rng.random((repetitions, world.n)), axis=1)
    return order.reshape(repetitions, world.n_folds, -1)


def fitted(inputs: Array, targets: Array) -> Array:
    """Weights (repetitions, features) of a ridge regression."""
    gram = np.einsum("rni,rnj->rij", inputs, inputs) + np.eye(inputs.shape[2])
    right = np.einsum("rni,rn->ri", inputs, targets)
    return np.linalg.solve(gram, right[..., None])[..., 0]


def errors(inputs: Array, targets: Array, weights: Array) -> Array:
    """Squared errors (repetitions, n)."""
    return (targets - np.einsum("rni,ri->rn", inputs, weights)) ** 2


def out_of_fold(
    inputs: Array,
    targets: Array,
    folds: NDArray[np.int64],
    chance: Callable[[tuple[int, ...]], Array] | None = None,
) -> Array:
    """Squared errors of one model on each sample (repetitions, n), each by its fold."""
    rows, found = np.arange(len(folds))[:, None], np.empty(targets.shape)
    for fold in range(folds.shape[1]):
        val = folds[:, fold]
        train = np.delete(folds, fold, axis=1).reshape(len(folds), -1)
        weights = fitted(inputs[rows, train], targets[rows, train])
        if chance is not None:
            weights = weights + chance(weights.shape)
        found[rows, val] = errors(inputs[rows, val], targets[rows, val], weights)
    return found


def cross_validated(inputs: Array, targets: Array, folds: NDArray[np.int64]) -> Array:
    """Mean squared errors of one model (repetitions, folds)."""
    rows = np.arange(len(folds))[:, None, None]
    found: Array = out_of_fold(inputs, targets, folds)[rows, folds].mean(axis=2)
    return found


def folds_of(
    rng: np.random.Generator, world: World, repetitions: int, *, same: bool = True
) -> list[Array]:
    """Of each model the folds' errors; ``same``: all on the same folds."""
    inputs, targets = world.draw(rng, repetitions, world.n)
    folds = shuffled(rng, repetitions, world)
    found = []
    for model in range(world.models):
        split = folds if same else shuffled(rng, repetitions, world)
        found.append(cross_validated(inputs[model], targets, split))
    return found


def with_test(rng: np.random.Generator, world: World, repetitions: int, n: int) -> list[Array]:
    """The first model's folds, and its error after a refit on ``n`` test samples."""
    inputs, targets = world.draw(rng, repetitions, world.n)
    folds = cross_validated(inputs[0], targets, shuffled(rng, repetitions, world))
    new_inputs, new_targets = world.draw(rng, repetitions, n)
    tested = errors(new_inputs[0], new_targets, fitted(inputs[0], targets)).mean(axis=1)
    return [folds, tested]


def overlap(world: World) -> float:
    return 1 / (world.n_folds - 1)


def samples_of_folds(
    rng: np.random.Generator, world: World, repetitions: int, *, same: bool
) -> list[tuple[Array, NDArray[np.int64]]]:
    """Of each model its errors on each sample, and which fold validated it (repetitions, n)."""
    inputs, targets = world.draw(rng, repetitions, world.n)
    folds, found = shuffled(rng, repetitions, world), []

    def chance(shape: tuple[int, ...]) -> Array:
        return world.chance * rng.normal(size=shape)

    for model in range(world.models):
        split = folds if same else shuffled(rng, repetitions, world)
        values = out_of_fold(inputs[model], targets, split, chance)
        numbers = np.empty(targets.shape, dtype=np.int64)
        each = np.broadcast_to(np.arange(world.n_folds)[:, None], split.shape[1:])
        numbers[np.arange(repetitions)[:, None, None], split] = each
        found.append((values, numbers))
    return found
