"""Who competes: samplers, numbers of start-up trials and pruners, each against the defaults."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from benchmarks.recordings import Recording
from benchmarks.replayed.beginning import configured, told
from lightning_hpo.entry import config_dir
from lightning_hpo.strategies.pruning import make_pruner
from lightning_hpo.strategies.sampling import make_sampler

# Optuna's class of each kind, and what it is told beside a contestant's settings.
_QUIET = {"warn_independent_sampling": False}
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tpe": ("TPESampler", {}),
    "gp": ("GPSampler", _QUIET),
    "random": ("RandomSampler", {}),
    "cmaes": ("CmaEsSampler", {"n_startup_trials": 10, **_QUIET}),
    "qmc": ("QMCSampler", {"scramble": True, "warn_asynchronous_seeding": False, **_QUIET}),
}


@dataclass(frozen=True)
class Contestant:
    """A sampler by ``kind``, with other ``settings`` than ours, and overrides of the pruner.

    In an override ``{quarter}`` stands for that share of the recorded epochs. ``begins``: with the
    configured values, as ours do. ``against``: whom it is compared with; None: the defaults.
    """

    name: str
    group: str
    kind: str = "tpe"
    settings: Mapping[str, Any] = field(default_factory=dict)
    pruner: Sequence[str] = ()
    begins: bool = True
    against: "Contestant | None" = None


DEFAULT = Contestant("the defaults", "default")
_WAIT = "pruner.n_warmup_steps"
_APART = {"multivariate": False, "group": False}
_RANDOM = Contestant("random", "samplers", "random")
SAMPLERS = [
    Contestant("TPE, each parameter by itself", "samplers", settings=_APART),
    Contestant("TPE, no groups", "samplers", settings={"group": False}),
    Contestant("TPE, no liar", "samplers", settings={"constant_liar": False}),
    Contestant("TPE, Optuna's settings", "samplers", settings={**_APART, "constant_liar": False}),
    Contestant("TPE, 96 candidates", "samplers", settings={"n_ei_candidates": 96}),
    Contestant("TPE after a Sobol start", "samplers", "tpe after qmc"),
    Contestant("GP", "samplers", "gp"),
    Contestant("CMA-ES", "samplers", "cmaes"),
    Contestant("Sobol", "samplers", "qmc"),
    _RANDOM,
]
STARTUP = [
    Contestant(f"{n} start-up trials", "startup", settings={"n_startup_trials": n})
    for n in (5, 20, 40)
]
PRUNERS = [
    Contestant("none", "pruners", pruner=["pruner=none"]),
    Contestant("median", "pruners", pruner=["pruner=median"]),
    Contestant("median after 1 epoch", "pruners", pruner=["pruner=median", f"{_WAIT}=1"]),
    Contestant(
        "median after a quarter", "pruners", pruner=["pruner=median", f"{_WAIT}={{quarter}}"]
    ),
    Contestant("percentile", "pruners", pruner=["pruner=percentile"]),
    Contestant("percentile after 1 epoch", "pruners", pruner=["pruner=percentile", f"{_WAIT}=1"]),
    Contestant("patient", "pruners", pruner=["pruner=patient"]),
    Contestant("successive halving", "pruners", pruner=["pruner=successive_halving"]),
    Contestant("hyperband", "pruners", pruner=["pruner=hyperband"]),
]
# Random suggestions cost no time, so that many more searches show what a pruner alone is worth.
PRUNERS_OF_RANDOM = [
    Contestant(
        *(f"random, {each.name}", "pruners of random", "random"),
        pruner=each.pruner,
        against=_RANDOM,
    )
    for each in PRUNERS
]
BEGINNINGS = [
    Contestant("no configured values first", "beginnings", begins=False),
    Contestant("random, no configured values", "beginnings", "random", begins=False),
]
# Of a recording that reports folds one after the other, which the others cannot judge.
_ALL_FOLDS = Contestant("all folds", "folds", pruner=["pruner=none"])
FOLDS = [
    _ALL_FOLDS,
    Contestant("wilcoxon", "folds", pruner=["pruner=wilcoxon"], against=_ALL_FOLDS),
    Contestant(
        *("wilcoxon, p below 0.2", "folds"),
        pruner=["pruner=wilcoxon", "pruner.p_threshold=0.2"],
        against=_ALL_FOLDS,
    ),
    Contestant(
        *("random, wilcoxon", "folds", "random"),
        pruner=["pruner=wilcoxon"],
        against=_ALL_FOLDS,
    ),
]
CONTESTANTS = [DEFAULT, *BEGINNINGS, *SAMPLERS, *STARTUP, *PRUNERS, *PRUNERS_OF_RANDOM, *FOLDS]


def chosen(groups: Collection[str], names: Collection[str] | None = None) -> list[Contestant]:
    """Those of ``groups`` that are called so, if ``names`` are given, and whom they meet."""
    asked = [c for c in CONTESTANTS if c.group in groups and c.name in (names or [c.name])]
    met = [each.against or DEFAULT for each in asked]
    return [each for each in CONTESTANTS if each in asked or each in met]


def meeting(recording: Recording, contestants: Sequence[Contestant]) -> list[Contestant]:
    """Those of ``contestants`` that can be compared on this recording."""
    return [each for each in contestants if (each.group == "folds") is recording.by_folds]


def sampler(contestant: Contestant, seed: int) -> BaseSampler:
    """The contestant's, as a study's controller makes it: seeded for each trial where possible."""
    settings = {**_ours(), **contestant.settings} if contestant.kind == "tpe" else {}
    if contestant.kind != "tpe after qmc":
        return _made(contestant.kind, seed, settings)
    sobol, tpe = _made("qmc", seed, {}), _made("tpe", seed, _ours())
    return Starting(sobol, tpe, _ours()["n_startup_trials"])


def _made(kind: str, seed: int, settings: Mapping[str, Any]) -> BaseSampler:
    name, fixed = _KINDS[kind]
    node = {"_target_": f"optuna.samplers.{name}", "seed": seed, **fixed, **settings}
    return make_sampler(OmegaConf.create(node))


def beginning(contestant: Contestant, recording: Recording) -> dict[str, Any]:
    """The first trial's parameters; what they lack, be it all of them, is suggested."""
    return configured(recording) if contestant.begins else {}


def pruner(contestant: Contestant, recording: Recording) -> BasePruner:
    """The contestant's under the recorded configuration; its experiment's own by default."""
    return make_pruner(_pruner_node(tuple(contestant.pruner), recording), monitor="val/loss")


def described(contestant: Contestant, recording: Recording) -> dict[str, Any]:
    """All that makes it search as it does."""
    settings = {**_ours(), **contestant.settings} if "tpe" in contestant.kind else {}
    pruner_node = OmegaConf.to_container(_pruner_node(tuple(contestant.pruner), recording))
    first = beginning(contestant, recording)
    said = {"sampler": contestant.kind, "settings": settings, "pruner": pruner_node}
    return {**said, "first": first}


@cache
def _pruner_node(overrides: tuple[str, ...], recording: Recording) -> DictConfig:
    more = [each.format(quarter=recording.epochs[-1] // 4) for each in overrides]
    with initialize_config_dir(str(config_dir())):
        node: DictConfig = compose("config", [*told(recording), *more]).pruner
    OmegaConf.resolve(node)
    return node


@cache
def _ours() -> dict[str, Any]:
    path = Path(config_dir(), "hydra", "sweeper", "sampler", "tpe.yaml")
    node = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(node, dict)
    study = OmegaConf.load(Path(config_dir(), "study", "default.yaml"))
    settings = {str(name): v for name, v in node.items() if name not in ("_target_", "seed")}
    return settings | {"n_startup_trials": study.n_startup_trials}


class Starting(BaseSampler):
    """``first`` for so many trials, ``then`` for the others."""

    def __init__(self, first: BaseSampler, then: BaseSampler, n: int) -> None:
        self.first, self.then, self.n = first, then, n

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        return self.first if trial.number < self.n else self.then

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._of(trial).before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)
