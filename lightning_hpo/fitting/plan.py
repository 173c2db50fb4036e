"""What a configuration says of a trial's fits, read once: folds, steps, stack, schedule, monitor.

No torch is imported here: the controller asks it too.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pydoc import ErrorDuringImport, locate
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.errors import UserError


@dataclass(frozen=True)
class TrialPlan:
    """The fits of a trial.

    ``n_folds``: how many there are. ``epochs``: of each, at most; None: Lightning's default.
    ``stacked``: they train side by side as one stack, else one after the other.
    ``steps_are_folds``: the trial reports once a fold, which the Wilcoxon pruner compares with the
    same fold of other trials, not once an epoch. ``scheduled``: a schedule sets the learning rate,
    so that the last epochs are those that count. ``objectives``: metrics beside the ``monitor``; by
    several nothing can be compared midway.
    """

    n_folds: int
    epochs: int | None
    stacked: bool
    steps_are_folds: bool
    scheduled: bool
    monitor: str
    objectives: tuple[str, ...] = ()

    @classmethod
    def of(cls, cfg: DictConfig) -> "TrialPlan":
        """Raises :class:`UserError` for values of ``cv.search`` and ``cv.parallel`` unknown."""
        return cls(
            n_folds=_n_folds(cfg),
            epochs=OmegaConf.select(cfg, "trainer.max_epochs"),
            stacked=_is_stacked(cfg),
            steps_are_folds=steps_are_folds(OmegaConf.select(cfg, "pruner._target_")),
            scheduled=bool(cfg.get("scheduler")),
            monitor=str(cfg.get("monitor")),
            objectives=tuple(OmegaConf.select(cfg, "study.objectives") or ()),
        )

    @property
    def serial_folds(self) -> int:
        """Fits that follow each other; those of a stack are one."""
        return 1 if self.stacked else self.n_folds

    @property
    def steps_per_fold(self) -> int:
        """How many steps of the trial's reports belong to a fold, where steps are epochs."""
        return int(self.epochs or 0)

    def steps_of(self, fold: int) -> range:
        """Those of ``fold``, which follow the steps of the folds before it."""
        return range(fold * self.steps_per_fold, (fold + 1) * self.steps_per_fold)


def n_folds(select: Callable[[str], Any]) -> int:
    """Folds of a cross-validation; ``select`` gives the value of a key, None where there is none.

    Each of ``cv.repeats`` has ``cv.n_splits``.
    """
    return int(select("cv.n_splits")) * int(select("cv.repeats") or 1)


def steps_are_folds(pruner: Any) -> bool:
    """Whether ``pruner``, a class by its dotted name, is or derives from the Wilcoxon pruner."""
    if pruner is None:
        return False
    module, _, name = str(pruner).rpartition(".")
    if module.split(".")[0] == "optuna":
        return name == "WilcoxonPruner"
    from optuna.pruners import WilcoxonPruner

    # One that cannot be imported is for who makes it to refuse.
    with suppress(ErrorDuringImport):
        found = locate(str(pruner))
        return isinstance(found, type) and issubclass(found, WilcoxonPruner)
    return False


def _n_folds(cfg: DictConfig) -> int:
    search = cfg.cv.get("search", "holdout")
    if search not in ("holdout", "kfold"):
        raise UserError(f"cv.search must be 'holdout' or 'kfold', got cv.search={search}.")
    return n_folds(partial(OmegaConf.select, cfg)) if search == "kfold" else 1


def _is_stacked(cfg: DictConfig) -> bool:
    parallel = cfg.cv.get("parallel", "serial")
    if parallel not in ("serial", "stacked"):
        raise UserError(f"cv.parallel must be 'serial' or 'stacked', got cv.parallel={parallel}.")
    return bool(parallel == "stacked")
