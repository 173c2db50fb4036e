"""Which pruner leaves the best trial to a search? Recorded trials, searched again in milliseconds.

    python -m benchmarks.pruners [--orders 300] [--budget 0.5]

Of the recordings (``benchmarks/recordings.py``), those under a schedule. Their trials are drawn in
a random order, as a random search would have met them, and told to a pruner of Optuna's until a
share of all recorded epochs is spent: a pruner that ends trials early sees more of them. Two
figures for each pruner, over many orders:

regret      of the best trial that was trained to its end: its last value less the best one of all,
            as a share of the distance from the median to that one
best lost   share of those of the five best that were met and pruned
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import optuna
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import TrialState

from benchmarks.conditions import conditions
from benchmarks.recordings import Curves, every
from lightning_hpo.entry import config_dir
from lightning_hpo.strategies.pruning import make_pruner

N_BEST = 5


@dataclass(frozen=True)
class Replayed:
    """One search: its regret, and of the best trials that it met how many were pruned."""

    regret: float
    met: int
    lost: int


def default_pruner(epochs: int) -> BasePruner:
    """What ``pruner=median`` is under a schedule, by the configuration itself."""
    told = [f"trainer.max_epochs={epochs}", "scheduler=cosine"]
    return make_pruner(compose("config", overrides=told).pruner, monitor="val/loss")


def pruners(epochs: int) -> dict[str, Callable[[], BasePruner]]:
    return {
        "none": NopPruner,
        "median after 1 epoch": lambda: MedianPruner(4, 1),
        f"pruner=median: after {epochs // 2} of {epochs}": lambda: default_pruner(epochs),
        "hyperband": lambda: HyperbandPruner(min_resource=1, max_resource=epochs),
    }


def replay(
    curves: Curves, order: Sequence[int], pruner: BasePruner, budget: int, *, name: str = "order"
) -> Replayed:
    """Meet the trials in this order until ``budget`` epochs are spent.

    ``name``: of the study, by which Hyperband chooses the bracket of each trial.
    """
    study = optuna.create_study(pruner=pruner, study_name=name)
    whole: list[int] = []
    lost = met = 0
    best = set(np.argsort(curves[:, -1])[:N_BEST].tolist())
    for index in order:
        if budget <= 0:
            break
        trial = study.ask()
        spent = told(trial, curves[index])
        budget -= spent
        is_whole = spent == curves.shape[1]
        study.tell(trial, curves[index, -1] if is_whole else None, state=_state(is_whole))
        met += index in best
        lost += index in best and not is_whole
        whole += [index] if is_whole else []
    return Replayed(regret_of(curves, whole), met, lost)


def told(trial: optuna.Trial, values: NDArray[np.float64]) -> int:
    """After how many epochs the pruner ends a trial with these values; all: it does not."""
    for epoch, value in enumerate(values):
        trial.report(float(value), step=epoch)
        if epoch + 1 < len(values) and trial.should_prune():
            return epoch + 1
    return len(values)


def _state(is_whole: bool) -> TrialState:
    return TrialState.COMPLETE if is_whole else TrialState.PRUNED


def regret_of(curves: Curves, whole: Sequence[int]) -> float:
    last = curves[:, -1]
    return float((last[list(whole)].min() - last.min()) / (np.median(last) - last.min()))


def main() -> None:
    """Print both figures of each pruner, for each recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=300, help="random orders [300]")
    parser.add_argument("--budget", type=float, default=0.5, help="share of all epochs [0.5]")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"{conditions()}; {given.orders} orders, {given.budget:.0%} of all epochs\n")
    print("| recording | pruner | regret ± its standard error | best lost |\n|---|---|---|---|")
    with initialize_config_dir(str(config_dir())):
        for recording in every(scheduled=True):
            _rows(recording.name, recording.curves, given.orders, given.budget)


def _rows(name: str, curves: Curves, n_orders: int, share: float) -> None:
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(curves)).tolist() for _ in range(n_orders)]
    for what, make in pruners(curves.shape[1]).items():
        pruner = make()
        budget = int(share * curves.size)
        found = [
            replay(curves, order, pruner, budget, name=f"order {index}")
            for index, order in enumerate(orders)
        ]
        regrets = [each.regret for each in found]
        error = stdev(regrets) / len(regrets) ** 0.5
        lost = sum(each.lost for each in found) / sum(each.met for each in found)
        print(f"| {name} | {what} | {fmean(regrets):.3f} ± {error:.3f} | {lost:.0%} |", flush=True)


if __name__ == "__main__":
    main()
