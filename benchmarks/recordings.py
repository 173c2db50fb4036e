"""Recorded learning curves: what trials of random hyperparameters reported, trained to their end.

``curves/NAME.csv`` has a line for each trial: its parameters (an empty cell: it had none such),
what it reported after so many epochs (``epoch_5``), and under ``value`` its objective, for which
the last epoch stands where it is missing. ``curves/NAME.json`` says how they were trained and what
was searched, which an older recording does not tell.

To record: ``python -m lightning_hpo ... hydra/sweeper/sampler=random pruner=none
callbacks=[none] study.final=false study.race=false``, then ``python -m benchmarks.recordings
STUDY_DIR``. With ``cv=kfold pruner=wilcoxon pruner.n_startup_steps=1000``, which reports folds and
never judges them, the reports are those of the folds.
"""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.api import load_study

CURVES = Path(__file__).parent / "curves"
Curves = NDArray[np.float64]  # (trials, reports), of which less is better
_EPOCH, _VALUE = "epoch_", "value"
# A trial's attributes that say where it ran, beside the overrides that its study was given.
_OURS = ("owner", "slot", "study.name", "study.n_jobs")


@dataclass(frozen=True, eq=False)
class Recording:
    """The trials of one study, line by line.

    ``overrides``: what its command said. ``epochs``: after how many a report was made.
    ``values``: the objectives. ``space``: what was searched, parents before what depends on them;
    ``conditions``: as in the configuration.
    """

    name: str
    overrides: Sequence[str]
    params: Sequence[Mapping[str, Any]]
    epochs: tuple[int, ...]
    curves: Curves
    values: NDArray[np.float64]
    space: Mapping[str, BaseDistribution]
    conditions: Mapping[str, Mapping[str, Any]]
    scheduled: bool

    @property
    def by_folds(self) -> bool:
        """Whether the reports are the values of folds, one after the other."""
        return "pruner=wilcoxon" in self.overrides


@cache
def named(name: str) -> Recording:
    return read(CURVES / f"{name}.csv")


def every(*, scheduled: bool | None = None, searched: bool = False) -> list[Recording]:
    """All recordings, or those under a schedule, or those that tell what was searched."""
    found = [named(path.stem) for path in sorted(CURVES.glob("*.csv"))]
    found = [r for r in found if scheduled is None or r.scheduled is scheduled]
    return [r for r in found if r.space or not searched]


def read(path: Path) -> Recording:
    """The recording whose numbers lie in ``path``, and its description beside it."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    about = json.loads(path.with_suffix(".json").read_text())
    space = {name: json_to_distribution(json.dumps(d)) for name, d in about["space"].items()}
    columns = [name for name in rows[0] if name.startswith(_EPOCH)]
    curves = np.array([[float(row[name]) for name in columns] for row in rows])
    return Recording(
        name=path.stem,
        overrides=about["overrides"],
        params=[_params(row, space) for row in rows],
        epochs=tuple(int(name.removeprefix(_EPOCH)) for name in columns),
        curves=curves,
        values=np.array([float(row[_VALUE]) for row in rows])
        if _VALUE in rows[0]
        else curves[:, -1],
        space=space,
        conditions=about["conditions"],
        scheduled=about["scheduled"],
    )


def record(study_dir: Path, to: Path = CURVES) -> Path:
    """Write what a study's whole trials reported; the file."""
    trials = load_study(study_dir).trials
    whole = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    space = _space(whole)
    steps = sorted(whole[0].intermediate_values)
    path = to / f"{study_dir.name}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*space, *(f"{_EPOCH}{step + 1}" for step in steps), _VALUE])
        rows.writerows(_row(trial, space, steps) for trial in whole)
    _describe(path.with_suffix(".json"), study_dir, whole[0], space)
    return path


def _row(trial: FrozenTrial, space: Mapping[str, Any], steps: Sequence[int]) -> list[str]:
    params = [_cell(trial.params.get(name)) for name in space]
    values = [trial.intermediate_values[step] for step in steps]
    return [*params, *(f"{value:.5g}" for value in [*values, trial.value])]


def _describe(
    path: Path, study_dir: Path, trial: FrozenTrial, space: Mapping[str, BaseDistribution]
) -> None:
    config = OmegaConf.load(study_dir / "trials" / str(trial.number) / "config.yaml")
    told = {name: v for name, v in trial.user_attrs.items() if name not in _OURS}
    about = {
        "overrides": [f"{name}={value}" for name, value in sorted(told.items())],
        "scheduled": bool(config.scheduler),
        "conditions": OmegaConf.to_container(config.study.conditions),
        "space": {name: json.loads(distribution_to_json(d)) for name, d in space.items()},
    }
    path.write_text(json.dumps(about, indent=1) + "\n")


def _space(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """What the trials were suggested from; what only some of them had comes last."""
    found = {name: d for trial in trials for name, d in trial.distributions.items()}
    lacking = {n: sum(n not in trial.distributions for trial in trials) for n in found}
    return {name: found[name] for name in sorted(found, key=lambda name: lacking[name] > 0)}


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _params(row: Mapping[str, str], space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {name: _value(row[name], d) for name, d in space.items() if row[name]}


def _value(cell: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return next(choice for choice in distribution.choices if str(choice) == cell)
    return int(cell) if isinstance(distribution, IntDistribution) else float(cell)


def main() -> None:
    """Record the studies that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", type=Path, nargs="+", help="folders of finished studies")
    for study_dir in parser.parse_args().studies:
        print(record(study_dir))


if __name__ == "__main__":
    main()
