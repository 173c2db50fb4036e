"""What a study's configuration means for its sweep: directions, slots, folds, limits.

In another application the plugin's own keys apply, everything that is ours is switched off, and
no key of its configuration is taken for one of ours, whatever its name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.composition.instantiate import make
from lightning_hpo.composition.literals import literal
from lightning_hpo.composition.passwords import referred_tree
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.plan import TrialPlan, n_folds
from lightning_hpo.machine.devices import automatic_slots, visible_gpus
from lightning_hpo.protocol.parts import ROLES, Asked, first_fits, rounds
from lightning_hpo.sweep import checks, held
from lightning_hpo.sweep.display.display import Verbosity
from lightning_hpo.sweep.display.progress import Steps
from lightning_hpo.sweep.search.loop import Limits


@dataclass(frozen=True)
class Settings:
    """Reads the composed configuration; ``n_jobs`` and the others are the sweeper's own keys.

    ``is_study``: whether the jobs are ours; see :mod:`lightning_hpo.composition.application`.
    """

    config: DictConfig
    n_jobs: int | str
    max_failure_rate: float
    is_study: bool

    def check(self) -> None:
        """Raise :class:`UserError` for what needs neither data nor model to be seen as wrong."""
        self.directions()
        # Also nan lies outside.
        if not 0 <= self.max_failure_rate <= 1:
            raise UserError(
                "hydra.sweeper.max_failure_rate must lie in [0, 1],"
                f" got hydra.sweeper.max_failure_rate={self.max_failure_rate}."
            )
        if self.is_study:
            checks.check_study(self._select, self._select_final)
        self.slots(1)
        _ = self.verbosity, self.race

    def check_searched(self, names: Iterable[str]) -> None:
        """Raise :class:`UserError` for what no study can search that holds samples out."""
        held.check_searched(names, self._select)

    @property
    def study_dir(self) -> Path:
        return Path(self.config.hydra.sweep.dir)

    @property
    def monitor(self) -> str:
        return str(self._select("monitor", "value"))

    @property
    def force_resume(self) -> bool:
        return bool(self._select("study.force_resume", False))

    @property
    def trust(self) -> bool:
        """Whether the study's folder, and that of a replay, may be another one's."""
        return bool(self._select("study.trust", False))

    @property
    def verbosity(self) -> Verbosity:
        """How much the terminal shows."""
        verbosity = self._select("study.verbosity", "normal")
        if verbosity not in get_args(Verbosity):
            raise UserError(
                f"study.verbosity must be one of {', '.join(get_args(Verbosity))},"
                f" got study.verbosity={verbosity}."
            )
        return verbosity

    @property
    def steps(self) -> Steps | None:
        """What a trial's reports mean; None where that is not known."""
        epochs = self._select("trainer.max_epochs")
        if not self.is_study or epochs is None:
            return None
        plan = TrialPlan.of(self.config)
        return Steps(epochs, plan.serial_folds, by_fold=plan.steps_are_folds)

    @property
    def heartbeat_s(self) -> float:
        """How often a controller on a shared storage shows that it is alive."""
        seconds = self._select("study.heartbeat_s", 10)
        if not isinstance(seconds, int | float) or seconds <= 0:
            raise UserError(f"study.heartbeat_s must be above 0, got study.heartbeat_s={seconds}.")
        return float(seconds)

    @property
    def final(self) -> bool:
        """Whether the final job follows the search."""
        return bool(self._select("study.final", False))

    @property
    def showcase(self) -> bool:
        """Whether the final job also fits some trials again, to show them side by side."""
        return self.final and bool(self._select("study.showcase", False))

    @property
    def final_overrides(self) -> tuple[str, ...]:
        """What ``study.in_final`` says, as Hydra overrides."""
        # What holds a password was resolved, and a job's overrides are stored.
        told = referred_tree(self._in_final())
        return tuple(f"{key}={literal(value)}" for key, value in told.items())

    def _in_final(self) -> dict[str, Any]:
        asked = self._select("study.in_final")
        if asked is not None and not OmegaConf.is_dict(asked):
            raise UserError(
                "study.in_final must map keys to values, such as {trainer: {max_epochs: 20}},"
                f" got study.in_final={asked}."
            )
        return dict(_leaves(OmegaConf.to_container(asked, resolve=True))) if asked else {}  # type: ignore[arg-type]

    def _select_final(self, key: str) -> Any:
        """The value of ``key`` in the final job."""
        return self._in_final().get(key, self._select(key))

    @property
    def final_asked(self) -> Asked:
        """What the final job is asked for, but for which trials it shows."""
        wanted = self._select_final("cv.final")
        return Asked(
            n_folds=n_folds(self._select_final) if wanted else 0,
            holdout=bool(self._select_final("cv.final_holdout")),
            n_refits=int(self._select("study.n_refits", 1)),
            ensemble=bool(self._select("study.ensemble", True)),
        )

    @property
    def final_fits(self) -> int:
        """Fits of the final job that may run beside each other, before the refit."""
        return first_fits(self.final_asked) if self.final else 0

    def final_rounds(self, slots: int) -> int:
        """Fits of the final job that follow each other in a slot."""
        if not self.final:
            return 0
        # As many as there may be: which they are, the search will show.
        shown = dict.fromkeys(ROLES, 0) if self.showcase else {}
        return rounds(replace(self.final_asked, shown=shown), slots)

    def final_cost(self, n_samples: int | None) -> float:
        """How much longer a fit of the final job takes than a trial: by its epochs and samples.

        ``n_samples``: training samples that there are; None: unknown, only the epochs count.
        """
        epochs = [select("trainer.max_epochs") for select in (self._select_final, self._select)]
        limits = [select("data.train_limit") for select in (self._select_final, self._select)]
        cost = epochs[0] / epochs[1] if all(n and n > 0 for n in epochs) else 1.0
        # A trial may be a fit of each fold.
        cost /= self.steps.folds if self.steps else 1
        if n_samples is None:
            return cost
        final, search = (min(limit or n_samples, n_samples) for limit in limits)
        return cost * final / search

    @property
    def nested(self) -> int | None:
        """Outer folds of a nested cross-validation; None: there is none."""
        return self._select("study.nested")

    @property
    def refit_needs_folds(self) -> bool:
        """Whether the folds of the final job may say how long its refit trains."""
        return self._select("study.final_epochs") is None and not self._select("scheduler")

    @property
    def replay(self) -> str | None:
        """The folder of the study to be replayed."""
        return self._select("study.replay")

    @property
    def callbacks(self) -> list[Any]:
        """Study callbacks, called after each told trial."""
        chosen = self._select("study_callbacks") or {}
        nodes = [*(self._select("study.callbacks") or []), *chosen.values()]
        return [make(node) for node in nodes]

    @property
    def start_points(self) -> list[dict[str, Any]]:
        """Parameter sets that the study begins with."""
        points = self._select("study.enqueue")
        return [] if points is None else OmegaConf.to_container(points, resolve=True)  # type: ignore[return-value]

    @property
    def configured_first(self) -> bool:
        """Whether the first trial takes the configured values."""
        return bool(self._select("study.configured_first", False))

    @property
    def race(self) -> bool | None:
        """Whether the best trials race before the final job; None: where that is cheap enough."""
        asked = self._select("study.race", "auto")
        if asked != "auto" and not isinstance(asked, bool):
            raise UserError(f"study.race must be auto, true or false, got study.race={asked}.")
        return None if asked == "auto" else asked

    @property
    def final_trial(self) -> int | None:
        """The trial that the final job is asked to take."""
        return self._select("study.final_trial")

    @property
    def further_objectives(self) -> Mapping[str, str]:
        """Metrics beside the monitor, and their directions."""
        return self._select("study.objectives") or {}

    def directions(self) -> list[str]:
        """Of the monitor, from ``mode``, and of the further objectives."""
        mode = self._select("mode", "min")
        if mode not in ("min", "max"):
            raise UserError(f"mode must be 'min' or 'max', got mode={mode}.")
        further = self.further_objectives
        if not isinstance(further, Mapping):
            raise UserError(
                "study.objectives must map metrics to directions, such as {n_parameters: minimize},"
                f" got study.objectives={further}."
            )
        for name, direction in further.items():
            if direction not in ("minimize", "maximize"):
                raise UserError(
                    "study.objectives must map to 'minimize' or 'maximize',"
                    f" got {name}: {direction}."
                )
        return ["minimize" if mode == "min" else "maximize", *further.values()]

    def slots(self, n_trials: int) -> int:
        """How many jobs run at a time: as many as wanted, but no more than there can be."""
        wanted = self.n_jobs
        on_cpu = self._select("trainer.accelerator") == "cpu"
        gpus = [] if on_cpu else visible_gpus()
        per_trial = float(self._select("study.gpus_per_trial", 1))
        # Also where the number is given: it says whether a trial's GPUs are there.
        found = automatic_slots(gpus, per_trial)
        wanted = found if wanted == "auto" else wanted
        if not isinstance(wanted, int) or wanted < 1:
            key = "study.n_jobs" if self.is_study else "hydra.sweeper.n_jobs"
            raise UserError(f"{key} must be 'auto' or at least 1, got {key}={wanted}.")
        return min(wanted, max(n_trials, self.final_fits, self.final_asked.n_refits))

    def limits(self, n_trials: int) -> Limits:
        """When the search ends."""
        return Limits(
            n_trials,
            max_failure_rate=self.max_failure_rate,
            max_retries=int(self._select("study.max_retries", 1)),
            timeout_s=self._select("study.timeout_s"),
            trial_timeout_s=self._select("study.trial_timeout_s"),
        )

    def _select(self, key: str, default: Any = None) -> Any:
        """The value of one of our keys; in another application its default."""
        return OmegaConf.select(self.config, key, default=default) if self.is_study else default


def _leaves(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a nested mapping, in its order."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
