"""The trial that a job works for: found from anywhere in it, also where the job is not ours."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from lightning_hpo.composition.paths import anchored_url
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.address import TrialAddress, told_address
from lightning_hpo.storage.study import attach_trial
from lightning_hpo.strategies.pruning import make_pruner


class CurrentTrial:
    """The trial of this job, or outside a sweep one that does nothing.

    Args:
        number: counts the study's trials from 0; None outside a sweep.
        live: the trial in the study's storage; None outside a sweep.
    """

    def __init__(self, number: int | None = None, live: optuna.trial.Trial | None = None) -> None:
        self.number = number
        self._live = live

    @property
    def params(self) -> dict[str, Any]:
        """What the search has chosen, by its names and with its types; empty outside a sweep."""
        return {} if self._live is None else dict(self._live.params)

    def report(self, value: float, step: int) -> None:
        """Tell the study how good the trial is by now.

        Args:
            value: finite, in the units of the objective.
            step: after which it was measured, such as an epoch: an integer of at least 0. Of
                several values for one step the first one stands.
        """
        if self._can_be_pruned:
            assert self._live is not None
            self._live.report(value, step)

    def should_prune(self) -> bool:
        """Whether the pruner ends the trial; then its loop raises ``optuna.TrialPruned``."""
        return self._can_be_pruned and self._live is not None and bool(self._live.should_prune())

    @property
    def _can_be_pruned(self) -> bool:
        # Optuna cannot compare trials midway by several objectives.
        return self._live is not None and len(self._live.study.directions) == 1


def current_trial() -> CurrentTrial:
    """The trial that this job works for, in an application of whatever kind.

    In a training loop of one's own::

        trial = lightning_hpo.current_trial()
        for epoch in range(epochs):
            trial.report(train_and_validate(), step=epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    Outside a sweep of ``hydra/sweeper=lightning_hpo`` its ``report`` does nothing and its
    ``should_prune`` is False. So they are in processes that the job starts as new programs, such as
    the ranks of ``strategy=ddp`` but the first one.

    Returns:
        The trial, with ``number``, ``params``, ``report`` and ``should_prune``.

    Raises:
        UserError: where the study's storage is out of reach of the job.

    Examples:
        Outside a sweep:

        >>> trial = current_trial()
        >>> trial.report(0.5, step=0)
        >>> trial.number, trial.should_prune()
        (None, False)
    """
    address = told_address()
    if address is None:
        return CurrentTrial()
    return CurrentTrial(address.number, _attached(address) if _is_the_job() else None)


def _is_the_job() -> bool:
    """Whether this is the job itself; a program that it starts has another configuration."""
    if not HydraConfig.initialized():
        return False
    config = HydraConfig.get()
    return config.mode is RunMode.MULTIRUN and "pruner" in config.sweeper


@lru_cache(maxsize=1)
def _attached(address: TrialAddress) -> optuna.trial.Trial:
    config: Any = HydraConfig.get()
    storage = config.sweeper.storage
    if isinstance(storage, str):
        # The job may run in a folder of its own.
        storage = anchored_url(storage, Path(config.runtime.cwd))
    try:
        return attach_trial(
            storage,
            address.study_dir,
            study_name=address.study_name,
            number=address.number,
            pruner=make_pruner(config.sweeper.pruner, monitor="what is reported"),
        )
    except KeyError:
        raise UserError(
            "a study that prunes needs a storage that its jobs can open too, in processes of their"
            f" own, got hydra.sweeper.storage={storage}; leave it out for a file in the sweep's"
            " folder."
        ) from None
