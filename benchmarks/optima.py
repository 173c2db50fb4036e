"""Is the optimum of a stacked study as good as a serial one's? The same budget, several seeds.

    python -m benchmarks.optima [--seeds 5] [--trials 16] [--epochs 200] [--folds 4]

Each seed is searched several times: with folds that follow each other under stock Lightning; with
stacked folds, one trial in each process; and with stacks of four trials, which are suggested at the
same time, before any of them has ended. The dropout draws differ, so equal numbers are not to be
expected; the medians of the best k-fold error should differ by less than the spread between seeds.
"""

import argparse
from statistics import median

from benchmarks.conditions import conditions
from benchmarks.study import run

WAYS = {
    "serial": ("cv.parallel=serial",),
    "stacked folds": ("hydra/launcher=stacked", "study.batch=1"),
    "stacks of 4 trials": ("hydra/launcher=stacked", "study.batch=4"),
}


def best_errors(way: str, seeds: int, common: list[str]) -> tuple[list[float], float]:
    """The best trial's k-fold error for each seed, and the seconds of all searches."""
    found = [run(*WAYS[way], *common, f"seed={seed}")[2] for seed in range(seeds)]
    return [f["best"]["value"] for f in found], sum(f["seconds"]["search"] for f in found)


def main() -> None:
    """Print both ways' errors, their medians and their spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("seeds", 5), ("trials", 16), ("epochs", 200), ("folds", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    told = parser.parse_args()
    common = [
        f"study.n_trials={told.trials}",
        f"trainer.max_epochs={told.epochs}",
        f"cv.n_splits={told.folds}",
        "pruner=none",
    ]
    print(f"{conditions()}; {' '.join(common)}, {told.seeds} seeds\n")
    print("| way | best k-fold error by seed | median | spread | search s |\n|---|---|---|---|---|")
    for way in told.ways:
        errors, seconds = best_errors(way, told.seeds, common)
        values = ", ".join(f"{error:.3f}" for error in errors)
        spread = max(errors) - min(errors)
        print(
            f"| {way} | {values} | {median(errors):.3f} | {spread:.3f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
