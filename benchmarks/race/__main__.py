"""The same search by ours and by what a user would pick instead: who has a good model first?

    python -m benchmarks.race [--seeds 5] [--contenders ours,optuna] [--plot docs/race.png]
    python -m benchmarks.race --trials 2 --train-limit 500 --seeds 1     # a try, minutes

The search is that of +experiment=cnn_dropout +budget=quick without the final job: its space,
epochs, batch, schedule, images and split, in two slots of one thread each. The others train the
same network from the same initial weights with stock Lightning, torchvision and DataLoader. Time
counts from the start of the command. "Best so far" counts each epoch's validation, as the search
hears of it.

Each run is a line of the file as soon as it has ended; what the file has is not run again. Tables
and picture are of the file's runs with these trials and images. Ray is in the extra [race].
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.race import file
from benchmarks.race.contenders import CONTENDERS, has_ray, run
from benchmarks.race.outcome import Outcome, best_so_far
from benchmarks.race.picture import draw
from benchmarks.race.plan import Plan
from benchmarks.race.prepared import prepare
from benchmarks.race.tables import Runs, all_tables

# Chosen before any other contender ran with so many images: of the twelve trials of a search of
# ours with seed 0 six came below the first, four below the second, the same four below the last.
LOSSES = (0.45, 0.40, 0.36)
TIMES_S = (30.0, 60.0, 90.0, 120.0, 180.0, 240.0)

Run = tuple[str, Plan]


def racers(told: str, ray_site: str | None) -> list[str]:
    """Those asked for, without Ray where it is not installed, which is said in one line."""
    names = told.split(",")
    unknown = sorted(set(names) - set(CONTENDERS))
    if unknown:
        raise SystemExit(f"--contenders must be of {','.join(CONTENDERS)}, got {unknown[0]}")
    if "ray" in names and not has_ray(ray_site):
        print("Ray is not installed, so the others race without it: pip install '.[race]'")
        names.remove("ray")
    return names


def to_run(names: Sequence[str], plans: Sequence[Plan], outcomes: list[Outcome]) -> Iterator[Run]:
    """Seed by seed, beginning with another contender each time; without what has been run."""
    done = file.done(outcomes)
    for turn, plan in enumerate(plans):
        first = turn % len(names)
        for name in [*names[first:], *names[:first]]:
            if (name, plan.seed, plan.trials, plan.train_limit) not in done:
                yield name, plan


def within(minutes: float | None, runs: Iterator[Run]) -> Iterator[Run]:
    """Those that can begin within so many minutes from now."""
    started_s = time.monotonic()
    for each in runs:
        if minutes is not None and time.monotonic() - started_s >= 60 * minutes:
            return
        yield each


def said(outcome: Outcome) -> str:
    """One line for a run that has ended."""
    head = f"{outcome.contender:7} seed {outcome.seed}  {outcome.wall_s:6.1f} s"
    if outcome.failed is not None:
        return f"{head}  failed: {outcome.failed}"
    best = best_so_far(outcome)
    loss = f"{best[-1][1]:.4f}" if best else "none"
    return f"{head}  {len(outcome.fits)} trials, {len(outcome.epochs)} epochs, best loss {loss}"


def runs_of(outcomes: Sequence[Outcome], names: Sequence[str], plan: Plan) -> Runs:
    """The successful runs of each contender that has any, with this plan's sizes."""
    fit = [o for o in outcomes if (o.trials, o.train_limit) == (plan.trials, plan.train_limit)]
    good = {n: [o for o in fit if o.contender == n and o.failed is None] for n in names}
    return {name: found for name, found in good.items() if found}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ... [5]")
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--trials", type=int, help="of each search [the budget's]")
    parser.add_argument("--train-limit", type=int, help="images [the budget's]")
    parser.add_argument("--losses", type=float, nargs="+", default=LOSSES)
    parser.add_argument("--times", type=float, nargs="+", default=TIMES_S, help="seconds")
    parser.add_argument("--file", type=Path, default=Path("build/race.jsonl"))
    parser.add_argument("--limit-s", type=float, default=1800.0, help="longest run [1800]")
    parser.add_argument("--minutes", type=float, help="begin no run later; 0: tables alone")
    parser.add_argument("--ray-site", help="folder of an installation of Ray for its runs alone")
    parser.add_argument("--plot", type=Path, help="draw the curves into this file")
    return parser


def main() -> int:
    """Run what is missing, then print the tables; 1 if a run failed."""
    told = arguments().parse_args()
    # Then the contender that runs is ended too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    names = racers(told.contenders, told.ray_site)
    data = told.file.absolute().parent / "race_data"
    sizes = {"trials": told.trials, "train_limit": told.train_limit}
    plans = [prepare(data, seed=seed, **sizes) for seed in range(told.seeds)]
    n_failed = 0
    for name, plan in within(told.minutes, to_run(names, plans, file.read(told.file))):
        outcome = run(name, plan, ray_site=told.ray_site, limit_s=told.limit_s)
        file.append(told.file, outcome)
        print(said(outcome), flush=True)
        n_failed += outcome.failed is not None
    runs = runs_of(file.read(told.file), names, plans[0])
    if runs:
        of_all = sorted({outcome.conditions for found in runs.values() for outcome in found})
        print("\n" + "\n".join(of_all), all_tables(runs, told.losses, told.times), sep="\n\n")
    if runs and told.plot is not None:
        draw(runs, told.plot)
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
