"""Replayed searches in a file of JSON lines, and the tables of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmarks.recordings import CURVES, Recording
from benchmarks.replayed.contestants import DEFAULT, Contestant, described
from benchmarks.replayed.simulation import Outcome

# A search in which no trial was whole yet is worth what a median one is.
_NOTHING_YET = 1.0


def key(recording: Recording, contestant: Contestant) -> str:
    """The same for all that search alike on the same table, whatever they are called."""
    said = json.dumps(described(contestant, recording), sort_keys=True)
    table = (CURVES / f"{recording.name}.csv").read_bytes()
    return hashlib.sha256(said.encode() + table).hexdigest()[:16]


class Results:
    """Outcomes by key and seed, for each budget in trials; the file holds all that were added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[tuple[str, int], dict[int, Outcome]] = {}
        if path.is_file():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self._keep(row["key"], row["seed"], row["outcomes"])

    def add(self, key: str, name: str, seed: int, outcomes: Mapping[int, Outcome]) -> None:
        told = {str(budget): asdict(outcome) for budget, outcome in outcomes.items()}
        self._keep(key, seed, told)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            row = {"key": key, "name": name, "seed": seed, "outcomes": told}
            file.write(json.dumps(row) + "\n")

    def has(self, key: str, seed: int, budget: int) -> bool:
        return budget in self._found.get((key, seed), {})

    def regrets(self, key: str, budget: int) -> dict[int, float]:
        """By seed."""
        return {
            seed: _worth(outcome[budget])
            for (of, seed), outcome in sorted(self._found.items())
            if of == key and budget in outcome
        }

    def _keep(self, key: str, seed: int, told: Mapping[str, Mapping[str, Any]]) -> None:
        found = {int(budget): Outcome(**outcome) for budget, outcome in told.items()}
        self._found.setdefault((key, seed), {}).update(found)


def _worth(outcome: Outcome) -> float:
    return _NOTHING_YET if outcome.regret is None else outcome.regret


def table(
    results: Results,
    recording: Recording,
    contestants: Sequence[Contestant],
    budgets: Sequence[int],
) -> str:
    """A line for each contestant: its regrets, and how far from those that it is compared with."""
    head = ["", *(f"{budget} trials' epochs" for budget in budgets)]
    lines = [_line(head), "|---" * len(head) + "|"]
    for contestant in contestants:
        cells = [_cell(results, recording, contestant, budget) for budget in budgets]
        lines.append(_line([contestant.name, *cells]))
    return "\n".join(lines)


def _cell(results: Results, recording: Recording, contestant: Contestant, budget: int) -> str:
    base = contestant.against or (contestant if recording.by_folds else DEFAULT)
    ours = results.regrets(key(recording, base), budget)
    theirs = results.regrets(key(recording, contestant), budget)
    both = sorted(ours.keys() & theirs.keys())
    if len(both) < 2:
        return "-"
    regrets = np.array([theirs[seed] for seed in both])
    if contestant == base:
        return f"{regrets.mean():.3f} ± {interval(regrets):.3f} (n={len(both)})"
    more = regrets - np.array([ours[seed] for seed in both])
    mark = "" if abs(more.mean()) <= interval(more) else " worse" if more.mean() > 0 else " better"
    return f"{regrets.mean():.3f} ({more.mean():+.3f} ± {interval(more):.3f}{mark})"


def interval(values: NDArray[np.float64]) -> float:
    """Half of the 95 % interval of the mean, by Student's t, for few searches say little."""
    error = values.std(ddof=1) / len(values) ** 0.5
    return float(stdtrit(len(values) - 1, 0.975) * error)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
