"""``hydra/sweeper=lightning_hpo``: the Optuna sweeper with pruning, resume and no barrier.

Every key of the stock plugin keeps its name and meaning; the others are ours.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_optuna_sweeper.config import OptunaSweeperConf
from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.hydra_lightning_hpo.workers import begin_first_slot
from lightning_hpo import composition  # noqa: F401  (what it resolves is in the pruners)


def _open() -> DictConfig:
    """A mapping that takes any key: a user need not know of Hydra's ``+`` to fill it."""
    return OmegaConf.create({}, flags={"struct": False})


@dataclass
class StudySweeperConf(OptunaSweeperConf):
    """The stock plugin's configuration and what a study adds to it."""

    _target_: str = "hydra_plugins.hydra_lightning_hpo.sweeper.StudySweeper"
    # Here also null (from ``mode``) and "auto" are allowed.
    direction: Any = None
    n_jobs: Any = "auto"
    # parameter -> value, range or choice
    params: Any = field(default_factory=_open)
    # An Optuna pruner as a ``_target_``; null: no pruning; auto: Optuna's default for what reports.
    pruner: Any = "auto"
    # parameter -> {other parameter: value or list of values}
    conditions: Any = field(default_factory=_open)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="lightning_hpo",
    node=StudySweeperConf,
    provider="lightning_hpo",
)

# What conf/study/default.yaml cannot say of its keys in YAML.
ConfigStore.instance().store(
    group="study",
    name="schema",
    node=OmegaConf.create({key: _open() for key in ("conditions", "objectives", "in_final")}),
    provider="lightning_hpo",
)


def _refusing_our_keys(init: Callable[..., None]) -> Callable[..., None]:
    """The stock sweeper's constructor; what only ours takes ends the command with one line."""

    @functools.wraps(init)
    def checked(self: OptunaSweeper, *args: Any, **keys: Any) -> None:
        if keys.keys().isdisjoint(OURS):
            return init(self, *args, **keys)
        from lightning_hpo.composition.application import complain
        from lightning_hpo.errors import UserError

        complain(
            UserError(
                "hydra/sweeper=lightning_hpo must make our sweeper, but hydra.sweeper._target_"
                f" names the stock one, got {type(self).__module__}.{type(self).__name__}; take"
                " that line out of the configuration."
            )
        )
        sys.exit(1)

    return checked


OURS = {each.name for each in fields(StudySweeperConf)} - {
    each.name for each in fields(OptunaSweeperConf)
}
# A configuration that was written for the stock sweeper often names its class too, and Hydra makes
# that one, with our keys: here is the only place where anybody of ours is asked.
OptunaSweeper.__init__ = _refusing_our_keys(OptunaSweeper.__init__)  # type: ignore[method-assign]


class StudySweeper(OptunaSweeper):
    """Drives one Optuna study; see :mod:`lightning_hpo.sweep.sweeper`.

    Args:
        sampler: an Optuna sampler, as a ``_target_``.
        direction: "minimize" or "maximize", or a list of them for several objectives; None: by
            ``mode``.
        storage: a URL that Optuna understands, or a ``_target_``; None: a file in the study's
            folder.
        study_name: in that storage; None: the study's own.
        n_trials: trials of the study in all, at least 1.
        n_jobs: trials at a time, at least 1, or "auto".
        max_failure_rate: share of failed trials, in [0, 1], above which the study ends.
        custom_search_space: the dotted name of a function that adds to the search space.
        params: by a parameter's name, its value, range or choice.
        pruner: an Optuna pruner, as a ``_target_``; None: none; "auto": Optuna's default.
        conditions: by a parameter's name, when it is searched: values of another one.
    """

    def __init__(
        self,
        sampler: DictConfig,
        direction: Any,
        storage: Any,
        study_name: str | None,
        n_trials: int,
        n_jobs: int | str,
        max_failure_rate: float,
        custom_search_space: str | None,
        params: DictConfig | None,
        pruner: DictConfig | Literal["auto"] | None,
        conditions: DictConfig,
    ) -> None:
        # Not super().__init__: it builds the sampler and the loop that ours replace.
        self._keys: dict[str, Any] = {
            "sampler": sampler,
            "direction": direction,
            "storage": storage,
            "study_name": study_name,
            "n_trials": n_trials,
            "n_jobs": n_jobs,
            "max_failure_rate": max_failure_rate,
            "custom_search_space": custom_search_space,
            "params": params,
            "pruner": pruner,
            "conditions": conditions,
        }

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        # What comes next takes seconds to import, and so does what the first slot's process needs.
        begin_first_slot(task_function, config, n_jobs=self._keys["n_jobs"])
        from lightning_hpo.sweep.sweeper import StudySweeperImpl

        self.sweeper = StudySweeperImpl(**self._keys)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
