"""How long trials take that train as one stack: preparation and epochs, by the size of the stack.

    python -m benchmarks.stacks [--trials 4] [--epochs 100]

Regression trials of 8 folds, with each of three optimizers in turn. Prints the seconds in which
configurations are composed, data and networks made, and all networks trained, the last also in ms
for each trial and epoch; a CPU's caches hold some 32 networks, a GPU wants thousands.
"""

import argparse
import time
from itertools import pairwise

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from benchmarks.conditions import conditions, quiet_lightning
from lightning_hpo.entry import config_dir
from lightning_hpo.fitting import splits
from lightning_hpo.fitting.stacked import StackedFits, train

N_FOLDS = 8


def now_s() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def composed(index: int, epochs: int) -> DictConfig:
    return compose(
        "config",
        overrides=[
            "+experiment=mlp_two_layers_no_stopping",
            f"trainer.max_epochs={epochs}",
            f"optimizer={('sgd', 'radam', 'adam')[index % 3]}",
            "optimizer.lr=0.001",
            "model.dropout=0.05",
        ],
    )


def prepared(cfg: DictConfig, index: int) -> StackedFits:
    folds = range(N_FOLDS)
    split = [splits.search_split(cfg, fold) for fold in folds]
    return StackedFits(cfg, split, [N_FOLDS * index + fold for fold in folds])


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=4, help="[4]")
    parser.add_argument("--epochs", type=int, default=100, help="[100]")
    told = parser.parse_args()
    quiet_lightning()
    print(f"{conditions()}; {torch.get_num_threads()} threads\n")
    with initialize_config_dir(str(config_dir())):
        times = [now_s()]
        cfgs = [composed(index, told.epochs) for index in range(told.trials)]
        times.append(now_s())
        fits = [prepared(cfg, index) for index, cfg in enumerate(cfgs)]
        times.append(now_s())
        train(fits)
        times.append(now_s())
    composing, preparing, training = (b - a for a, b in pairwise(times))
    each_ms = 1000 * training / told.trials / told.epochs
    print("| networks | epochs | composed s | prepared s | trained s | ms a trial and epoch |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {told.trials * N_FOLDS:,} | {told.epochs} | {composing:.1f} | {preparing:.1f} |"
        f" {training:.1f} | {each_ms:.3f} |"
    )


if __name__ == "__main__":
    main()
