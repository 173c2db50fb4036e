"""Which sampler, which pruner and how many random trials first? Searches replayed in milliseconds.

    python -m benchmarks.replayed [--trials 40] [--seeds 10] [--groups samplers ...]

Each search runs in a world of its own, grown from a recording of trials with random hyperparameters
(``benchmarks/replayed/worlds.py`` says how, and how well that predicts trials left out). Two slots
train side by side; trials cost one unit for each report, and a search may spend what 12, 40, 100 or
300 whole trials would. Where a pruner ends trials early, it sees more of them.

The figure is the regret of the trial that looks best in the end: what its objective lacks, without
luck, as a share of the way from the world's median to its best. All contestants meet the same
worlds, and all begin with the configured values but those that say otherwise, so their differences
from the defaults of ``conf/`` (a random search's, from that with the default pruner) vary less than
their regrets; ± is half of a 95 % interval, and a difference beyond it is called better or worse.

Results are kept as JSON lines: what has been run once is not run again, and a run with more trials
or seeds adds to them; ``--seeds 0`` prints what there is. Most of the time is the samplers': some
ten milliseconds for each of TPE's suggestions. A recording of a study that validates fold by fold
in turn has contestants of its own: the Wilcoxon pruner, which compares folds, and none.
"""

import argparse
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import optuna

from benchmarks.conditions import conditions
from benchmarks.recordings import Recording, every, named
from benchmarks.replayed.beginning import standing
from benchmarks.replayed.contestants import (
    CONTESTANTS,
    Contestant,
    beginning,
    chosen,
    meeting,
    pruner,
    sampler,
)
from benchmarks.replayed.results import Results, key, table
from benchmarks.replayed.simulation import Outcome, Simulation
from benchmarks.replayed.worlds import World

BUDGETS = (12, 40, 100, 300)
RESULTS = Path("build", "replayed.jsonl")
# Worlds over which what is said of a recording itself is a mean.
N_WORLDS = 20


@dataclass(frozen=True)
class Run:
    """One search to be replayed."""

    recording: str
    contestant: Contestant
    seed: int
    budgets: tuple[int, ...]


@lru_cache(maxsize=4)
def world(recording: str, seed: int) -> World:
    return World(named(recording), seed)


def replay(run: Run) -> dict[int, Outcome]:
    """The outcome at each budget."""
    quiet()
    its_world = world(run.recording, run.seed)
    recording = its_world.recording
    found = Simulation(
        its_world,
        recording.epochs,
        sampler(run.contestant, run.seed),
        pruner(run.contestant, recording),
        beginning(run.contestant, recording),
    ).run(run.budgets)
    return dict(zip(run.budgets, found, strict=True))


def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def missing(
    results: Results,
    recordings: Sequence[Recording],
    contestants: Sequence[Contestant],
    seeds: int,
    budgets: tuple[int, ...],
) -> Iterator[Run]:
    """What the tables lack, seed by seed, so that a stop leaves all contestants alike."""
    for seed in range(seeds):
        for recording in recordings:
            # On some recordings a contestant is what the defaults are.
            distinct = {key(recording, c): c for c in meeting(recording, contestants)}
            for its_key, contestant in distinct.items():
                if not results.has(its_key, seed, budgets[-1]):
                    yield Run(recording.name, contestant, seed, budgets)


def run_all(runs: Sequence[Run], results: Results, workers: int) -> None:
    keys = {r.name: r for r in every(searched=True)}
    with ProcessPoolExecutor(workers) as pool:
        running = {pool.submit(replay, run): run for run in runs}
        for n, ended in enumerate(as_completed(running), 1):
            run = running[ended]
            its_key = key(keys[run.recording], run.contestant)
            name = f"{run.recording}: {run.contestant.name}"
            results.add(its_key, name, run.seed, ended.result())
            print(f"\r{n} of {len(runs)} searches", end="", flush=True)
    print()


def show(
    results: Results, recordings: Sequence[Recording], contestants: Sequence[Contestant]
) -> None:
    for recording in recordings:
        n = len(recording.values)
        worlds = [World(recording, seed) for seed in range(N_WORLDS)]
        rank = fmean(world.rank_correlation for world in worlds)
        print(f"\n## {recording.name}: {n} trials, rank correlation on those left out {rank:.2f}\n")
        regret, worse = map(fmean, zip(*map(standing, worlds), strict=True))
        print(
            f"configured values: regret {regret:.3f}, {worse:.0f} of 100 random points are worse\n"
        )
        print(table(results, recording, meeting(recording, contestants), BUDGETS))


def main() -> None:
    """Run what is missing, then print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names, groups = [r.name for r in every(searched=True)], {c.group for c in CONTESTANTS[1:]}
    parser.add_argument("--recordings", nargs="+", choices=names, default=names)
    parser.add_argument("--groups", nargs="+", choices=sorted(groups), default=sorted(groups))
    parser.add_argument("--names", nargs="+", help="only contestants that are called so")
    parser.add_argument("--trials", type=int, choices=BUDGETS, default=40, help="most [40]")
    parser.add_argument("--seeds", type=int, default=10, help="searches of each [10]; 0: tables")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes [cores]")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"JSON lines [{RESULTS}]")
    given = parser.parse_args()
    recordings = [named(name) for name in given.recordings]
    contestants = chosen(given.groups, given.names)
    budgets = tuple(budget for budget in BUDGETS if budget <= given.trials)
    results = Results(given.results)
    quiet()
    print(conditions())
    run_all(
        [*missing(results, recordings, contestants, given.seeds, budgets)], results, given.workers
    )
    show(results, recordings, contestants)


if __name__ == "__main__":
    main()
