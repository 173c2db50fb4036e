"""Do real searches say what the replayed ones do? The defaults and other samplers, seed by seed.

    nice -n 19 python -m benchmarks.confirmed [--seeds 12] [--minutes 75] [--file FILE]

The command line searches what was recorded (``benchmarks/recordings.py``) by the defaults, by TPE
that models each parameter by itself, and at random. All share a seed's split, weights and random
trials first, and are compared on seeds that all have. No times are told: other work may run beside.

A best value is partly luck, of weights and split, and who tries more of the same has more of it. So
the winners are trained again with eight other seeds, the same for all of them, each on a split of
its own; what diverges counts as the recording's median. *Regret* is the mean less that of the
recording's best trial, trained again likewise; it may be negative, for the recording chose by luck
too. Regrets and *apart*, from the defaults, are shares of the way from the recording's best value
to its median, as a replay's are; ± is a standard error.

What has ended is a line of the file, and a later call goes on from there; ``--seeds 0`` prints it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution

from benchmarks import figures
from benchmarks.conditions import conditions
from benchmarks.recordings import Recording, named
from benchmarks.replayed.beginning import told
from lightning_hpo.api import StudyRecord, load_study
from lightning_hpo.scripting.ranges import from_distribution

Params = Mapping[str, Any]
RECORDINGS = ("digits_fc", "mlp_two_layers")
DEFAULTS, _OF = "the defaults", "hydra.sweeper.sampler"
WAYS = {
    DEFAULTS: (),
    "TPE, each parameter by itself": (f"{_OF}.multivariate=false", f"{_OF}.group=false"),
    "random": ("hydra/sweeper/sampler=random",),
}
_BARE = "callbacks=[none] logger=[none] study.final=false study.race=false study.n_jobs=2"
AGAIN = "trained again"
_SEEDS_AGAIN = range(1000, 1008)  # which no search has
_AT_ONCE = 12  # winners in one command, whose line holds the parameters of all
_HEAD = "| way | best value: median | mean | apart | regret: median | mean | apart |"


@dataclass(frozen=True)
class Ended:
    """A search: its best trial. Or one point, :data:`AGAIN`: the mean of so many trials."""

    recording: str
    way: str
    seed: int
    trials: int
    value: float
    params: Params

    @property
    def point(self) -> str:
        return _key(self.recording, self.params)


def _key(*what: Any) -> str:
    return json.dumps(what, sort_keys=True)


def read(path: Path) -> list[Ended]:
    lines = path.read_text().splitlines() if path.is_file() else []
    return [Ended(**json.loads(line)) for line in lines]


def append(path: Path, row: Ended) -> None:
    figures.append_line(path, asdict(row))


def missing(rows: Sequence[Ended], seeds: int, trials: int) -> Iterator[tuple[str, str, int]]:
    """Seed by seed, so that a stop leaves all alike."""
    has = {(row.recording, row.way, row.seed) for row in rows if row.trials == trials}
    every = ((name, way, seed) for seed in range(seeds) for name in RECORDINGS for way in WAYS)
    return (each for each in every if each not in has)


def ranges(space: Mapping[str, BaseDistribution]) -> list[str]:
    """A recorded space as the command line has it."""
    return [f"{name}={from_distribution(found)}" for name, found in space.items()]


def study(recording: Recording, *overrides: str) -> StudyRecord:
    """What a study of the recorded search has found, in a folder of its own."""
    kept = [each for each in recording.overrides if each.startswith("study.conditions")]
    given = [*told(recording), *kept, *ranges(recording.space)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lightning_hpo", *_BARE.split(), *given, *overrides]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if made.returncode:
            raise SystemExit(f"{' '.join(command)} must succeed:\n{made.stdout}{made.stderr}")
        return load_study(next(Path(folder, "studies").iterdir()))


def searched(name: str, way: str, seed: int, trials: int) -> Ended:
    found = study(named(name), *WAYS[way], f"seed={seed}", f"study.n_trials={trials}")
    best = found.results["best"]
    return Ended(name, way, seed, trials, best["value"], best["params"])


def trained_again(recording: Recording, points: Sequence[Params]) -> Iterator[Ended]:
    """As the first trials of a study that searches the seed too; one that diverged is a median."""
    asked = [{**point, "seed": seed} for point in points for seed in _SEEDS_AGAIN]
    mappings = (",".join(f"{name}:{value}" for name, value in each.items()) for each in asked)
    found = study(
        recording,
        *("pruner=none", "hydra/sweeper/sampler=random", f"study.n_trials={len(asked)}"),
        f"seed=range({_SEEDS_AGAIN.start},{_SEEDS_AGAIN.stop})",
        f"study.enqueue=[{','.join(f'{{{each}}}' for each in mappings)}]",
    )
    lost = float(np.median(recording.values))
    by_point = {_key(t.params): lost if t.value is None else t.value for t in found.trials}
    for point in points:
        values = [by_point[_key({**point, "seed": seed})] for seed in _SEEDS_AGAIN]
        yield Ended(recording.name, AGAIN, 0, len(values), float(np.mean(values)), point)


def recorded_best(recording: Recording) -> Params:
    return recording.params[int(recording.values.argmin())]


def untrained(recording: Recording, rows: Sequence[Ended]) -> list[Params]:
    """The winners and the recording's best that are still to be trained again, each once."""
    points = {row.point: row.params for row in rows if row.recording == recording.name}
    best = recorded_best(recording)
    points |= {_key(recording.name, best): best} if points else {}
    has = {row.point for row in rows if row.way == AGAIN}
    return [params for key, params in points.items() if key not in has]


def table(recording: Recording, rows: Sequence[Ended], trials: int) -> str:
    """A line for each way, over the seeds that all have."""
    unit = float(np.median(recording.values) - recording.values.min())
    worth = {row.point: row.value for row in rows if row.way == AGAIN}
    of_size = [row for row in rows if (row.recording, row.trials) == (recording.name, trials)]
    by_way = {way: {row.seed: row for row in of_size if row.way == way} for way in WAYS}
    seeds = sorted(set.intersection(*map(set, by_way.values())))
    title = f"{recording.name}: {trials} trials, {len(seeds)} seeds; shares are of {unit:.4f}\n"
    lines = [title, _HEAD, "|---" * 7 + "|"]
    for way in WAYS if len(seeds) > 1 else ():
        ours, others = ([by_way[w][seed] for seed in seeds] for w in (DEFAULTS, way))
        best, base = (np.array([row.value for row in each]) for each in (others, ours))
        true, level = (np.array([worth[row.point] for row in each]) for each in (others, ours))
        regret = (true - worth[_key(recording.name, recorded_best(recording))]) / unit
        cells = [way, f"{np.median(best):.4f}", _mean(best, ".4f")]
        cells += [_mean((best - base) / unit, "+.3f"), f"{np.median(regret):.3f}"]
        cells += [_mean(regret, ".3f"), _mean((true - level) / unit, "+.3f")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: NDArray[np.float64], form: str) -> str:
    return f"{values.mean():{form}} ± {values.std(ddof=1) / len(values) ** 0.5:{form.strip('+')}}"


def main() -> None:
    """Search what is missing, train the winners again, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2, help="of each search and way [2]")
    parser.add_argument("--trials", type=int, default=40, help="of each search [40]")
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no search later")
    parser.add_argument("--file", type=Path, default=Path("build", "confirmed.jsonl"))
    given = parser.parse_args()
    print(conditions())
    until_s = time.monotonic() + 60 * given.minutes
    to_do = missing(read(given.file), given.seeds, given.trials)
    for run in takewhile(lambda _: time.monotonic() < until_s, to_do):
        append(given.file, searched(*run, given.trials))
        print(*run, flush=True)
    for recording in map(named, RECORDINGS):
        points = untrained(recording, read(given.file))
        for first in range(0, len(points), _AT_ONCE):
            for row in trained_again(recording, points[first : first + _AT_ONCE]):
                append(given.file, row)
        print(f"\n{table(recording, read(given.file), given.trials)}")


if __name__ == "__main__":
    main()
