"""How far off are the values by which a winner is told? Against its true risk, on redrawn curves.

    python -m benchmarks.winners [--curves 20] [--trials 6] [--epochs 500]

The noisy curve is drawn anew each time, so that the true risk of any network is known: the noise
variance and its squared distance from the true curve, over inputs as those it was trained on. Some
random hyperparameters are cross-validated in 8 folds as a search does it; the best by that is
cross-validated again with other seeds and trained on all samples, as the final job does it. Then
the values are set against the risk of that last network. *own epoch*: each fold at the epoch that
is best for itself; *others' epoch*: at the one that the other folds choose, as results are told.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from benchmarks.conditions import conditions, quiet_lightning
from lightning_hpo.data.base import Arrays
from lightning_hpo.data.curve import (
    INPUT_RANGE,
    N_TEST,
    N_TRAIN,
    NOISE_VARIANCE,
    TRAIN_SEGMENTS,
    CurveDataModule,
    true_curve,
)
from lightning_hpo.entry import config_dir
from lightning_hpo.fitting import build, splits
from lightning_hpo.fitting.stacked import StackedFits, train, train_in_place
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.judging import FoldCurve, judged_epochs, refit_epochs

MONITOR, N_FOLDS = "val/loss", 8
ESTIMATES = ("the search's best value", "folds, own epoch", "folds, others' epoch")


class Redrawn(CurveDataModule):
    """The noisy curve with other samples; ``curve``: which, at least 0."""

    def __init__(self, *, curve: int, **options: Any) -> None:
        super().__init__(**options)
        self.curve = curve

    def load(self) -> Arrays:
        rng = np.random.default_rng(self.curve)
        train_x, test_x = inputs(rng, N_TRAIN), rng.uniform(*INPUT_RANGE, N_TEST)
        train_y, test_y = (
            true_curve(x) + rng.normal(scale=NOISE_VARIANCE**0.5, size=len(x))
            for x in (train_x, test_x)
        )
        train_x, train_y, test_x, test_y = (
            a.astype(np.float32) for a in (train_x, train_y, test_x, test_y)
        )
        return Arrays(train_x[:, None], train_y, test_x[:, None], test_y)


def inputs(rng: np.random.Generator, n: int) -> np.ndarray[Any, Any]:
    """(n,), uniform on the segments of the training inputs."""
    starts, ends = np.array(TRAIN_SEGMENTS).T
    lengths = ends - starts
    segment = rng.choice(len(lengths), size=n, p=lengths / lengths.sum())
    return starts[segment] + rng.uniform(size=n) * lengths[segment]


def hyperparameters(rng: np.random.Generator) -> list[str]:
    """Random ones, of the ranges of the reference study's regressions."""
    return [
        f"optimizer={rng.choice(['sgd', 'radam', 'adam'])}",
        f"optimizer.lr={10 ** rng.uniform(-3, -1.6):.5f}",
        f"model.neurons.layer_1={rng.integers(2, 17) * 8}",
        f"model.neurons.layer_2={rng.integers(2, 17) * 8}",
        f"model.dropout={rng.uniform(0, 0.1):.4f}",
    ]


def composed(curve: int, epochs: int, told: Sequence[str]) -> DictConfig:
    return compose(
        "config",
        overrides=[
            "+experiment=mlp_two_layers_no_stopping",
            "data._target_=benchmarks.winners.Redrawn",
            f"+data.curve={curve}",
            f"trainer.max_epochs={epochs}",
            *told,
        ],
    )


def cross_validated(cfgs: Sequence[DictConfig], seed: int) -> list[list[FoldCurve] | None]:
    """Of each configuration the folds' curves; None: it diverged."""
    fits = [
        StackedFits(
            cfg,
            [splits.final_split(cfg, fold) for fold in range(N_FOLDS)],
            [seed + N_FOLDS * index + fold for fold in range(N_FOLDS)],
        )
        for index, cfg in enumerate(cfgs)
    ]
    train(fits)
    return [
        None if fit.group.error else [FoldCurve.of(r.curve, MONITOR) for r in fit.results()]
        for fit in fits
    ]


def refitted_risk(cfg: DictConfig, epochs: int, seed: int) -> float:
    """The true risk of a network that is trained on all samples; infinite: it diverged."""
    pl.seed_everything(seed, verbose=False)
    data: Any = build.data_module(cfg, splits.final_split(cfg, None))
    module = build.module(cfg, data)
    train_in_place(cfg, module, data, epochs, seed=seed)
    x = inputs(np.random.default_rng(1), 20_000).astype(np.float32)
    with torch.no_grad():
        found = module.eval()(data.normalised(torch.from_numpy(x)[:, None])).numpy()
    return NOISE_VARIANCE + float(np.mean((found.reshape(-1) - true_curve(x)) ** 2))


@dataclass(frozen=True)
class Winner:
    """Of one curve: the values told of the winner, as :data:`ESTIMATES`, and its true risk."""

    told: tuple[float, ...]
    risk: float


def winner_of(curve: int, *, trials: int, epochs: int) -> Winner:
    """Search, cross-validate the best and refit it, on one drawing of the samples."""
    rng = np.random.default_rng([curve, 1])
    cfgs = [composed(curve, epochs, hyperparameters(rng)) for _ in range(trials)]
    searched = cross_validated(cfgs, seed=1000)
    values = [np.inf if folds is None else at_own(folds) for folds in searched]
    best = int(np.argmin(values))
    (folds,) = cross_validated([cfgs[best]], seed=5000)
    assert folds is not None, "the winner diverged under other seeds"
    judged = judged_epochs(folds, "others", mode="min")
    at_others = fmean(fold.value(epoch) for fold, epoch in zip(folds, judged, strict=True))
    risk = refitted_risk(cfgs[best], refit_epochs(folds, mode="min"), seed=7000)
    return Winner((values[best], at_own(folds), at_others), risk)


def at_own(folds: Sequence[FoldCurve]) -> float:
    return fmean(min(fold.values) for fold in folds)


def main() -> None:
    """Print each estimate's mean, its bias against the true risk, and that bias's error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("curves", 20), ("trials", 6), ("epochs", 500)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"[{default}]")
    told = parser.parse_args()
    quiet_lightning()
    print(f"{conditions()}; {told.curves} curves, {told.trials} trials, {told.epochs} epochs\n")
    found: list[Winner] = []
    with initialize_config_dir(str(config_dir())):
        for curve in range(told.curves):
            found.append(winner_of(curve, trials=told.trials, epochs=told.epochs))
    print(f"true risk of the winners: {fmean(each.risk for each in found):.3f}\n")
    print("| value | mean | bias ± its standard error |\n|---|---|---|")
    for index, name in enumerate(ESTIMATES):
        apart = [each.told[index] - each.risk for each in found]
        error = stdev(apart) / len(apart) ** 0.5
        mean = fmean(each.told[index] for each in found)
        print(f"| {name} | {mean:.3f} | {fmean(apart):+.3f} ± {error:.3f} |")


if __name__ == "__main__":
    main()
