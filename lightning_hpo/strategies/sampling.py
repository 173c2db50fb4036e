"""Samplers whose suggestions derive from (seed, trial number) instead of from call order."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.composition.instantiate import make
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.seeds import derive_seed

_RESEEDED = (
    "TPESampler",
    "RandomSampler",
    "GPSampler",
    "create_nsgaii_sampler",
    "create_nsgaiii_sampler",
)

# Ours, which suggests the same; it reaches into Optuna's own, and knows that of this version.
_TPE = "lightning_hpo.strategies.tpe.TPESampler"
_KNOWN_OPTUNA = "5.0."

# Optuna keeps all points in memory.
_LARGEST_GRID = 1_000_000


class SeededPerTrial(BaseSampler):
    """Makes a fresh sampler for each trial, seeded with (seed, trial number).

    A resumed study then does not repeat its first suggestions, and two controllers with one seed do
    not propose the same points. ``make`` takes a seed and returns the sampler.
    """

    def __init__(self, make: Callable[[int], BaseSampler], *, seed: int) -> None:
        self._make = make
        self._seed = seed
        self.inner = make(derive_seed(seed, "sampler"))

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.inner = self._make(derive_seed(self._seed, "sampler", trial.number))
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self.inner.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        self.inner.reseed_rng()


class GridSampler(optuna.samplers.GridSampler):
    """Every point of a grid once; what a point's conditions leave out makes no other point.

    ``existing(params)``: those of a point's parameters that a trial would have. Optuna's own
    counts all combinations, and tries again what differs in nothing.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        *,
        existing: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        seed: int | None,
    ) -> None:
        grid = {name: _values(name, d) for name, d in distributions.items()}
        n_points = math.prod(map(len, grid.values()))
        if n_points > _LARGEST_GRID:
            raise UserError(
                f"a grid must have at most {_LARGEST_GRID} points, got {n_points}; search fewer"
                " values, or take another sampler: hydra/sweeper/sampler=tpe."
            )
        super().__init__(grid, seed=seed)
        points = {
            _point(existing(dict(zip(self._param_names, p, strict=True)))): p
            for p in self._all_grids
        }
        self._all_grids = list(points.values())
        self._n_min_trials = len(self._all_grids)

    def __len__(self) -> int:
        return self._n_min_trials


def _point(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, repr(value)) for name, value in sorted(params.items()))


def _values(name: str, distribution: BaseDistribution) -> list[Any]:
    try:
        return list(OptunaSweeperImpl._to_grid_sampler_choices(distribution))
    except ValueError:
        raise UserError(
            f"a grid must have values to choose from, got {name} in {distribution}; write"
            f" {name}=choice(...) or range(low, high, step), or take another sampler:"
            " hydra/sweeper/sampler=tpe."
        ) from None


def make_sampler(node: DictConfig) -> BaseSampler:
    """The sampler that ``node`` describes, seeded for each trial where its kind allows that.

    CMA-ES keeps its state in the study, and the quasi-random sampler counts trials there, so they
    need one fixed seed.
    """
    seed = node.get("seed")
    is_tpe = node.get("_target_") == "optuna.samplers.TPESampler"
    if is_tpe and optuna.__version__.startswith(_KNOWN_OPTUNA):
        tpe = make(OmegaConf.merge(node, {"_target_": _TPE}))
        return tpe if seed is None else SeededPerTrial(tpe.seeded, seed=seed)
    if seed is None or not str(node.get("_target_")).endswith(_RESEEDED):
        return make(node)
    return SeededPerTrial(lambda derived: make(node, seed=derived), seed=seed)


def refuse_motpe(seed: int | None = None) -> BaseSampler:
    """Refuse the stock plugin's ``motpe``, whatever its ``seed``: TPE has taken its place."""
    raise UserError(
        "hydra/sweeper/sampler must be one that Optuna still has, got motpe; tpe takes its place,"
        " also for several objectives: hydra/sweeper/sampler=tpe."
    )


def is_grid(node: DictConfig) -> bool:
    """Whether ``node`` describes the grid sampler, which needs the grid itself."""
    return str(node.get("_target_")).endswith("GridSampler")
