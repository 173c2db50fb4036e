"""Trials a minute of small CNNs: folds one after the other, as one stack, and stacks of trials.

    python -m benchmarks.small_cnns [--data digits] [--folds 8] [--trials 24] [--batches 1 4]
                                    [--slots 2] [--rounds 2] [--to FILE] [OVERRIDE ...]

Whole studies of random trials without pruning and without a final job, in which the ways take
turns: as many processes as ``--slots``, whose trials train fold after fold; the same processes
with ``cv.parallel=stacked``; and ``hydra/launcher=stacked`` with so many trials in a stack. With
``--folds 1`` a trial is one network, and the second way is left out. Where there is a GPU, the
processes of the first two ways share it, and the third way is one process. Seconds are those of
the search, behind the preparation that starts the processes; the last column compares with the
first way, round by round.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence

import torch

from benchmarks import figures, study
from benchmarks.conditions import conditions

SPACE = (
    "optimizer=adam",
    "optimizer.lr=tag(log, interval(1e-3, 1e-1))",
    "model.filters_1=range(4, 17, 4)",
    "model.filters_2=range(8, 33, 8)",
    "model.neurons_1=range(16, 65, 16)",
    "model.neurons_2=range(16, 33, 16)",
    "model.dropout=interval(0.0, 0.3)",
)
STUDY = (
    *("model=cnn", "callbacks=none", "pruner=none", "hydra/sweeper/sampler=random", *SPACE),
    *("study.final=false", "study.race=false"),
)


def ways(folds: int, slots: int, batches: Sequence[int]) -> Mapping[str, Sequence[str]]:
    """The overrides of each way, the one that all are compared with first."""
    shared = [f"study.n_jobs={slots}"]
    if torch.cuda.is_available():
        shared.append(f"study.gpus_per_trial={1 / slots:g}")
    stacked = ["cv.parallel=stacked"]
    # On a GPU one process has all of it to itself.
    in_stacks = ["study.n_jobs=1"] if torch.cuda.is_available() else shared
    found = {f"{slots} processes, fold after fold" if folds > 1 else f"{slots} processes": shared}
    if folds > 1:
        found[f"{slots} processes, folds as a stack"] = [*shared, *stacked]
    for batch in batches:
        told = ["hydra/launcher=stacked", f"study.batch={batch}"]
        found[f"stacks of {batch} trials"] = [*in_stacks, *stacked, *told]
    return found


def search_s(overrides: Sequence[str]) -> float:
    """Seconds of a search in an empty folder."""
    _, _, found = study.run(*overrides, study=STUDY)
    return float(found["seconds"]["search"])


def table(seconds: Mapping[str, Sequence[float]], n_trials: int) -> list[str]:
    """A row for each way: trials a minute, and how many times faster than the first way."""
    base = next(iter(seconds.values()))
    rows = ["| | search s | trials a minute | times the first |", "|---|---|---|---|"]
    for name, found in seconds.items():
        ratios = [a / b for a, b in zip(base, found, strict=True)]
        per_minute = 60 * n_trials / statistics.median(found)
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        shown = ", ".join(f"{each:.0f}" for each in found)
        rows.append(f"| {name} | {shown} | {per_minute:.0f} | {spread} |")
    return rows


def main() -> None:
    """Measure all ways in turn and print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", help="for every study")
    parser.add_argument("--data", default="digits", help="[digits]")
    parser.add_argument("--folds", type=int, default=8, help="[8]; 1: a holdout")
    parser.add_argument("--trials", type=int, default=24, help="[24]")
    parser.add_argument("--epochs", type=int, default=10, help="[10]")
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 4], help="[1 4]")
    parser.add_argument("--slots", type=int, default=2, help="[2] processes at a time")
    parser.add_argument("--rounds", type=int, default=2, help="[2]")
    figures.add_argument(parser)
    told = parser.parse_args()
    folds = ["cv=kfold", f"cv.n_splits={told.folds}"] if told.folds > 1 else ["cv=holdout"]
    common = [f"data={told.data}", *folds, f"study.n_trials={told.trials}"]
    common += [f"trainer.max_epochs={told.epochs}", *told.overrides]
    seconds: dict[str, list[float]] = {}
    for _ in range(told.rounds):
        for name, overrides in ways(told.folds, told.slots, told.batches).items():
            seconds.setdefault(name, []).append(search_s([*common, *overrides]))
    print(f"{conditions()}; {told.data}, {told.trials} trials of {told.epochs} epochs\n")
    print("\n".join(table(seconds, told.trials)))
    for name, found in seconds.items():
        figures.append(told.to, "small_cnns", data=told.data, way=name, search_s=found)


if __name__ == "__main__":
    main()
