"""A trial's row of TensorBoard's HParams tab: what was searched, the objective, how it ended."""

import logging
import math
from collections.abc import Callable

import optuna
from omegaconf import DictConfig

from lightning_hpo.callbacks.loggers import State
from lightning_hpo.callbacks.records import log_searched
from lightning_hpo.callbacks.reporting import Reported
from lightning_hpo.fitting import observers
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.protocol.messages import JobContext, TrialResult

log = logging.getLogger(__name__)


def with_row(
    cfg: DictConfig,
    context: JobContext,
    live: Reported | None,
    run: Callable[[], TrialResult],
) -> TrialResult:
    """What ``run`` returns or raises, once the row is written.

    Trials alone have rows: no fold of one, and no fit of the final job. A process that is killed
    writes none.
    """
    try:
        result = run()
    except optuna.TrialPruned:
        _write(cfg, context, _so_far(cfg, live), "pruned")
        raise
    except Exception:
        _write(cfg, context, None, "failed")
        raise
    _write(cfg, context, result.value, "complete")
    return result


def _so_far(cfg: DictConfig, live: Reported | None) -> float | None:
    """What a trial has reported: the best value, or under a schedule the last one."""
    if not isinstance(live, optuna.trial.Trial):
        return None
    # As the storage has it: ranks of the fit may have reported.
    reported = live.study._storage.get_trial(live._trial_id).intermediate_values
    values = [reported[step] for step in sorted(reported) if math.isfinite(reported[step])]
    if not values:
        return None
    if TrialPlan.of(cfg).scheduled:
        return values[-1]
    return min(values) if cfg.mode == "min" else max(values)


def _write(cfg: DictConfig, context: JobContext, objective: float | None, state: State) -> None:
    try:
        for logger in observers.tensorboards(cfg, context.folder):
            log_searched(logger, context.searched, objective, state)
            logger.finalize("failed" if state == "failed" else "success")
    except OSError as error:
        # A row is no reason for a trial to end otherwise.
        log.warning(f"the row of TensorBoard's HParams is left out: {error}")
