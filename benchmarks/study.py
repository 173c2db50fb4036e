"""The whole of ``mlp_two_layers``, as a user runs it: time, memory, and the cost by stacked batch.

    python -m benchmarks.study [--trials 300] [--batches 1 2 4 8 16] [--batch-trials 48]
                              [--to FILE]

First the study (8 folds, up to 2,000 epochs, early stopping; no final job) without pruning and with
the experiment's pruner; wall time includes the start of all processes, Optuna and the report.
Memory is the peak of all processes together (PSS). Then the same random trials without pruning by
how many of them share a stack, against one trial at a time (``hydra/launcher=workers``).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.conditions import conditions
from benchmarks.quick_study import measure

STUDY = (
    "+experiment=mlp_two_layers",
    "study.final=false",
)
IN_FOLDER = ("study.dir=study", "study.verbosity=quiet")


def run(*overrides: str, study: Sequence[str] = STUDY) -> tuple[float, float, dict[str, Any]]:
    """Wall seconds, peak memory in GiB and the results of ``study`` in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lightning_hpo", *study, *IN_FOLDER, *overrides]
        seconds, pss, _ = measure(command, folder)
        found = json.loads((Path(folder) / "study" / "results.json").read_text())
    return seconds, pss / 2**30, found


def print_row(
    to: Path | None, name: str, seconds: float, gib: float, found: dict[str, Any]
) -> None:
    trials, best = found["trials"], found["best"]["value"]
    search = found["seconds"]["search"]
    print(
        f"| {name} | {seconds:.0f} | {search:.0f} | {search / trials['total'] * 1e3:.0f} |"
        f" {trials['complete']}, {trials['pruned']}, {trials['failed']} | {best:.4f} | {gib:.2f} |",
        flush=True,
    )
    told = {"wall_s": seconds, "search_s": search, "memory_gib": gib, "best": best}
    figures.append(to, "study", way=name, trials=trials, **told)


def print_head(title: str) -> None:
    print(
        f"\n| {title} | wall s | search s | ms a trial | complete, pruned, failed |"
        " best k-fold error | memory GiB |\n|---|---|---|---|---|---|---|",
        flush=True,
    )


def whole_study(n_trials: int, launchers: Sequence[str], to: Path | None) -> None:
    print_head(f"{n_trials} trials")
    for launcher in launchers:
        for name, pruner in (("no pruning", ["pruner=none"]), ("pruning", [])):
            told = [f"study.n_trials={n_trials}", f"hydra/launcher={launcher}", *pruner]
            print_row(to, f"{name}, {launcher}", *run(*told))


def by_batch(batches: Sequence[int], n_trials: int, to: Path | None) -> None:
    print_head(f"{n_trials} random trials, no pruning")
    common = ["pruner=none", "hydra/sweeper/sampler=random", f"study.n_trials={n_trials}"]
    print_row(to, "one at a time (workers)", *run(*common))
    for batch in batches:
        told = ["hydra/launcher=stacked", f"study.batch={batch}"]
        print_row(to, f"stacks of {batch}", *run(*common, *told))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--launchers", nargs="*", default=["workers", "stacked"])
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 2, 4, 8, 16])
    parser.add_argument("--batch-trials", type=int, default=48)
    figures.add_argument(parser)
    told = parser.parse_args()
    print(conditions())
    if told.trials:
        whole_study(told.trials, told.launchers, told.to)
    if told.batches:
        by_batch(told.batches, told.batch_trials, told.to)


if __name__ == "__main__":
    main()
