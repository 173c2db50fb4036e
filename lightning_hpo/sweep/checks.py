"""What a study's configuration must satisfy before anything runs."""

from collections.abc import Callable, Sequence
from typing import Any

from hydra_plugins.hydra_optuna_sweeper.config import Direction
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.sweep import held

# numpy's, and so Lightning's.
_LARGEST_SEED = 2**32 - 1

# The value of a key, or the given default where it is missing.
Select = Callable[..., Any]


def check_study(select: Select, select_final: Select) -> None:
    """Raise :class:`UserError` for what needs neither data nor model to be seen as wrong.

    ``select`` gives the value of a key, ``select_final`` that of the final job.
    """
    _check_seed_and_monitor(select)
    for told in (select, select_final):
        _require_epochs(told)
        _require_integer("cv.n_splits", told, low=2)
        _require_integer("cv.repeats", told, low=1)
    _require_integer("study.n_refits", select, low=1)
    _check_validated(select, select_final)
    _require_integer("study.final_epochs", select, low=1)
    _require_integer("study.final_trial", select, low=0)
    _require_integer("study.n_trials", select, low=0)
    _require_seconds("study.timeout_s", select)
    _require_seconds("study.trial_timeout_s", select)
    _check_devices(select)
    _check_whole_fits(select)
    held.check_nested(select)
    held.check_final(select, select_final)


def check_direction(asked: Any, of_study: list[str]) -> None:
    """Raise :class:`UserError` unless ``asked``, the plugin's key, is what ``mode`` says.

    None: nothing is asked. ``of_study``: the directions of the monitor and of the further
    objectives.
    """
    if asked is None:
        return
    is_list = isinstance(asked, Sequence) and not isinstance(asked, str)
    given = asked if is_list else [asked]
    words = [each.name if isinstance(each, Direction) else each for each in given]
    got = f"got hydra.sweeper.direction={', '.join(map(str, words))}"
    if not set(words) <= {"minimize", "maximize"}:
        raise UserError(f"hydra.sweeper.direction must be minimize or maximize, {got}.")
    if is_list and len(words) != len(of_study):
        raise UserError(
            "hydra.sweeper.direction must have one direction for the monitor and one for each"
            f" of study.objectives, {got}; name the further objectives, for example"
            " study.objectives={n_parameters: minimize}."
        )
    if words != of_study[: len(words)]:
        raise UserError(
            "hydra.sweeper.direction must be what mode and study.objectives say, which is"
            f" {', '.join(of_study)}, {got}; leave it away, and say the monitor's with"
            f" mode={'min' if words[0] == 'minimize' else 'max'}."
        )


def _require_integer(key: str, select: Select, *, low: int) -> None:
    value = select(key)
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and (not is_integer or value < low):
        raise UserError(f"{key} must be an integer of at least {low}, got {key}={value}.")


def _require_epochs(select: Select) -> None:
    """Epochs are the steps of a pruner, of a schedule and of the refit."""
    epochs = select("trainer.max_epochs")
    if epochs is None and select("trainer") is None:
        # Jobs without a Trainer.
        return
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        got = "null" if epochs is None else epochs
        raise UserError(
            "trainer.max_epochs must be an integer of at least 1, got"
            f" trainer.max_epochs={got}; give it a large one where trainer.max_steps"
            " or trainer.max_time ends a fit."
        )


def _check_validated(select: Select, select_final: Select) -> None:
    """A fit without a validation would have no value."""
    for told in (select, select_final):
        every, epochs = told("trainer.check_val_every_n_epoch"), told("trainer.max_epochs")
        if isinstance(every, int) and isinstance(epochs, int) and every > epochs > 0:
            raise UserError(
                "a fit must be validated at least once, got trainer.check_val_every_n_epoch="
                f"{every} with trainer.max_epochs={epochs}; lower the one or raise the other."
            )


def _require_seconds(key: str, select: Select) -> None:
    value = select(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Not even NaN is above 0.
    if value is not None and not (is_number and value > 0):
        raise UserError(
            f"{key} must be a number of seconds above 0, or null for no limit, got {key}={value}."
        )


def _check_seed_and_monitor(select: Select) -> None:
    seed, monitor = select("seed", 0), select("monitor", "value")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _LARGEST_SEED:
        raise UserError(
            f"seed must be an integer from 0 to {_LARGEST_SEED}, got seed={_typed(seed)}."
        )
    if not isinstance(monitor, str) or not monitor:
        raise UserError(
            f"monitor must name a metric that is logged, got monitor={_typed(monitor)}."
        )


def _check_devices(select: Select) -> None:
    devices, strategy = select("trainer.devices", 1), select("trainer.strategy", "")
    # What auto finds is seen in a slot, by the preparation; on a CPU it is one.
    several = devices not in (1, "1", "auto", None)
    if OmegaConf.is_list(devices):
        several = len(devices) > 1
    if several and not any(word in str(strategy) for word in ("spawn", "fork")):
        # Lightning's default would start this whole command again for each further device.
        raise UserError(
            "a trial on several devices needs a strategy that spawns or forks, got"
            f" trainer.devices={devices}; add trainer.strategy=ddp_spawn."
        )


def _check_whole_fits(select: Select) -> None:
    fast = select("trainer.fast_dev_run")
    if fast:
        raise UserError(
            f"a study needs the metrics of its fits, which trainer.fast_dev_run={fast} leaves"
            " out; try a small one with trainer.max_epochs=1 +trainer.limit_train_batches=1."
        )


def _typed(value: Any) -> Any:
    """As Hydra reads it on a command line."""
    return "null" if value is None else value
