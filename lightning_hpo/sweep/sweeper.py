"""The sweeper: from Hydra's arguments to a finished study, its final job and its report.

Subclass of the plugin's implementation: it keeps the configuration keys, the parsing of search
spaces, the log lines and ``optimization_results.yaml``, and replaces the loop.
"""

import json
import logging
import math
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GridSampler

from lightning_hpo.errors import StudyFailed, UserError, one_line
from lightning_hpo.instantiate import make
from lightning_hpo.launchers.slot import Job, SlotDied
from lightning_hpo.launchers.workers import cpu_cores, visible_gpus
from lightning_hpo.study import create_storage
from lightning_hpo.sweep import fingerprint, outcome
from lightning_hpo.sweep.display import Display, Tally
from lightning_hpo.sweep.executors import BatchExecutor, Executor
from lightning_hpo.sweep.finale import Finale
from lightning_hpo.sweep.loop import Limits, Search
from lightning_hpo.sweep.ownership import Owner
from lightning_hpo.sweep.sampling import SeededPerTrial
from lightning_hpo.sweep.signals import interruptible
from lightning_hpo.sweep.space import SearchSpace, parse_space
from lightning_hpo.sweep.verdict import judge

log = logging.getLogger(__name__)

_MAX_AUTO_SLOTS = 4
_RESEEDED = ("TPESampler", "RandomSampler", "GPSampler", "create_nsgaii_sampler")


class StudySweeperImpl(OptunaSweeperImpl):
    """One sweep over one study. ``setup`` is the stock plugin's, ``sweep`` is ours."""

    # Set by ``setup``, before anything else is called.
    config: DictConfig
    launcher: Launcher
    hydra_context: HydraContext

    def __init__(
        self,
        *,
        sampler: DictConfig,
        direction: Any,
        storage: Any,
        study_name: str | None,
        n_trials: int,
        n_jobs: int | str,
        max_failure_rate: float,
        custom_search_space: str | None,
        params: DictConfig | None,
        pruner: DictConfig | None,
        conditions: DictConfig,
    ) -> None:
        super().__init__(
            sampler=sampler,
            direction=direction,
            storage=storage,
            study_name=study_name,
            n_trials=n_trials,
            n_jobs=0,
            max_failure_rate=max_failure_rate,
            custom_search_space=custom_search_space,
            params=params,
        )
        self.slots_wanted = n_jobs
        self.pruner = pruner
        self.conditions = conditions

    def sweep(self, arguments: list[str]) -> None:
        """Search, then evaluate; raises an error of :mod:`lightning_hpo.errors` when it cannot."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # Our defaults choose multivariate TPE and its companions knowingly.
        warnings.simplefilter("ignore", ExperimentalWarning)
        space = self._space(arguments)
        self._check_space(space)
        study_dir = _writable(Path(self.sweep_dir))
        display = self._display(self._n_trials(space))
        with interruptible(), Owner(study_dir) as owner:
            with self._executor(display.tally.slots) as executor:
                facts = self._preflight(space, executor, display) if self.is_study else None
                study = self._open_study(space, study_dir, owner, facts)
                search = self._search(study, space, executor, owner, display)
                with display.shown():
                    started_s = time.monotonic()
                    self._run_search(search, display)
                    search_s = time.monotonic() - started_s
                    final_s = self._evaluate(study, space, executor, display)
            self._conclude(study, facts, _seconds(study, search=search_s, final=final_s), display)

    # ------------------------------------------------------------------ preparation

    @property
    def is_study(self) -> bool:
        """Whether the job is ours; with another task function only the sweeper's part applies."""
        return OmegaConf.select(self.config, "study.job") is not None

    @property
    def minimize(self) -> bool:
        return self._get_directions()[0] == "minimize"

    def _get_directions(self) -> list[str]:
        if self.direction is None:
            mode = OmegaConf.select(self.config, "mode", default="min")
            if mode not in ("min", "max"):
                raise UserError(f"mode must be 'min' or 'max', got mode={mode}.")
            return ["minimize" if mode == "min" else "maximize"]
        return super()._get_directions()

    def _space(self, arguments: Sequence[str]) -> SearchSpace:
        extend = self.custom_search_space_extender
        return parse_space(
            [*self._parse_sweeper_params_config(), *arguments],
            conditions=OmegaConf.to_container(self.conditions or OmegaConf.create({})),  # type: ignore[arg-type]
            configured=self._configured,
            extend=None if extend is None else lambda trial: extend(self.config, trial),
        )

    def _configured(self, name: str) -> Any:
        choices = self.config.hydra.runtime.choices
        return choices[name] if name in choices else OmegaConf.select(self.config, name)

    def _check_space(self, space: SearchSpace) -> None:
        """Compose a few jobs now: a misspelt parameter fails here, not in the hundredth trial."""
        for params in space.previews():
            try:
                self.hydra_context.config_loader.load_sweep_config(
                    self.config, list(space.overrides(params))
                )
            except HydraException as error:
                raise UserError(f"a trial cannot be composed: {one_line(error)}") from None

    def _n_trials(self, space: SearchSpace) -> int:
        if self.is_study and not space:
            return 0
        if self._is_grid():
            self.n_trials = min(self.n_trials, _grid_size(self._grid(space)))
            log.info(f"Updating num of trials to {self.n_trials} due to using GridSampler.")
        return self.n_trials

    def _is_grid(self) -> bool:
        return str(self.sampler.get("_target_")).endswith("GridSampler")

    def _grid(self, space: SearchSpace) -> dict[str, Any]:
        return {n: self._to_grid_sampler_choices(d) for n, d in space.distributions.items()}

    def _display(self, n_trials: int) -> Display:
        n_splits = self._n_splits()
        slots = self._n_slots(max(n_trials, n_splits, 1))
        rounds = -(-n_splits // slots) + 1 if self._setting("final", False) else 0
        monitor = str(OmegaConf.select(self.config, "monitor", default="value"))
        tally = Tally(n_trials, slots, monitor, minimize=self.minimize, final_rounds=rounds)
        return Display(tally)

    def _n_splits(self) -> int:
        if not self._setting("final", False) or not self.config.cv.final:
            return 0
        return int(self.config.cv.n_splits)

    def _setting(self, key: str, default: Any) -> Any:
        return OmegaConf.select(self.config, f"study.{key}", default=default)

    def _n_slots(self, useful: int) -> int:
        wanted = self.slots_wanted
        if wanted == "auto":
            on_cpu = OmegaConf.select(self.config, "trainer.accelerator") == "cpu"
            gpus = [] if on_cpu else visible_gpus()
            wanted = len(gpus) or min(cpu_cores(), _MAX_AUTO_SLOTS)
        if not isinstance(wanted, int) or wanted < 1:
            raise UserError(
                f"study.n_jobs must be 'auto' or at least 1, got study.n_jobs={wanted}."
            )
        return 1 if isinstance(self.launcher, BasicLauncher) else min(wanted, useful)

    def _executor(self, n_slots: int) -> Executor:
        if hasattr(self.launcher, "workers"):
            return self.launcher.workers(n_slots)
        return BatchExecutor(self.launcher, n_slots=n_slots)

    def _preflight(self, space: SearchSpace, executor: Executor, display: Display) -> Any:
        display.stage("preparation: data, model, device")
        told = ("study.job=preflight", "hydra.sweep.subdir=logs/preflight")
        executor.submit(Job(0, (*space.overrides(next(space.previews())), *told)))
        ((_, end),) = executor.wait()
        if not isinstance(end, SlotDied) and end.status.name == "COMPLETED":
            return end._return_value
        verdict = judge(end, n_objectives=1)
        if verdict.mistake is not None:
            raise verdict.mistake
        where = f"{self.sweep_dir}/logs/preflight/trial.log"
        raise StudyFailed(f"the preparation must succeed, but: {verdict.reason}; see {where}.")

    # ------------------------------------------------------------------ search

    def _open_study(
        self, space: SearchSpace, study_dir: Path, owner: Owner, facts: Any
    ) -> optuna.Study:
        directions = self._get_directions()
        with owner.exclusive():
            study = optuna.create_study(
                study_name=self.study_name,
                storage=create_storage(self.storage, study_dir) if self.is_study else self.storage,
                sampler=self._make_sampler(space),
                pruner=make(self.pruner) if self.pruner else optuna.pruners.NopPruner(),
                directions=directions,  # type: ignore[arg-type]
                load_if_exists=True,
            )
            if self.is_study:
                now = fingerprint.of(space, directions, self.config.monitor, facts.data_sha256)
                fingerprint.check(study, now, force=bool(self._setting("force_resume", False)))
        log.info(f"Study name: {study.study_name}")
        log.info(f"Storage: {outcome.public(self.storage, study_dir)}")
        inner = study.sampler.inner if isinstance(study.sampler, SeededPerTrial) else study.sampler
        log.info(f"Sampler: {type(inner).__name__}")
        log.info(f"Directions: {directions}")
        return study

    def _make_sampler(self, space: SearchSpace) -> BaseSampler:
        if self._is_grid():
            return GridSampler(self._grid(space), seed=self.sampler.get("seed"))
        seed = self.sampler.get("seed")
        if seed is None or not str(self.sampler._target_).endswith(_RESEEDED):
            return make(self.sampler)
        return SeededPerTrial(lambda derived: make(self.sampler, seed=derived), seed=seed)

    def _search(
        self,
        study: optuna.Study,
        space: SearchSpace,
        executor: Executor,
        owner: Owner,
        display: Display,
    ) -> Search:
        limits = Limits(
            display.tally.total,
            max_failure_rate=self.max_failure_rate,
            max_retries=int(self._setting("max_retries", 0)),
            timeout_s=self._setting("timeout_s", None),
            trial_timeout_s=self._setting("trial_timeout_s", None),
        )
        return Search(
            study,
            space,
            executor,
            owner,
            limits=limits,
            observer=display,
            tells_number=self.is_study,
        )

    def _run_search(self, search: Search, display: Display) -> None:
        recovered = search.recover()
        if recovered:
            display.note(f"trials {recovered} lost their controller and are tried again")
        outcome.tally_earlier(search.study, display.tally)
        left = search.remaining()
        if left <= 0:
            if search.limits.n_trials:
                display.note(f"the study has its {search.limits.n_trials} trials; none is added")
            return
        display.stage(f"search: {left} trials in {display.tally.slots} slots")
        search.run()

    # ------------------------------------------------------------------ conclusion

    def _evaluate(
        self, study: optuna.Study, space: SearchSpace, executor: Executor, display: Display
    ) -> float:
        """Run the final job on the best parameters, unless it is done; seconds that it took."""
        best = outcome.best_trial(study)
        if not self._setting("final", False) or (best is None and space):
            return 0.0
        started_s = time.monotonic()
        finale = Finale(
            executor=executor,
            final_dir=Path(self.sweep_dir) / "final",
            overrides=space.overrides(best.params if best else {}),
            n_splits=self._n_splits(),
            say=display.stage,
        )
        if finale.is_done():
            display.note(f"the final job of these parameters is done, see {finale.final_dir}")
            return 0.0
        finale.run()
        return time.monotonic() - started_s

    def _conclude(
        self, study: optuna.Study, facts: Any, seconds: dict[str, float], display: Display
    ) -> None:
        """Write the results, build the report, say where everything is."""
        study_dir = Path(self.sweep_dir)
        outcome.save_plugin_file(study, study_dir)
        best = outcome.best_trial(study)
        if best is not None:
            log.info(f"Best parameters: {best.params}")
            log.info(f"Best value: {best.value}")
        if self.is_study:
            from lightning_hpo.report.page import build_report

            data = {"name": facts.data_name, "sha256": facts.data_sha256}
            found = outcome.results(
                study, study_dir=study_dir, config=self.config, data=data, seconds=seconds
            )
            (study_dir / "results.json").write_text(json.dumps(found, indent=2))
            display.stage("report")
            build_report(study_dir, study=study)
            display.note(outcome.summary(found, study_dir))
        if best is None and study.get_trials(deepcopy=False) and len(study.directions) == 1:
            raise StudyFailed(_none_completed(study))


def _none_completed(study: optuna.Study) -> str:
    n = outcome.counts(study)
    failures = [t.user_attrs["failure"] for t in study.trials if "failure" in t.user_attrs]
    last = f" The last failure: {failures[-1]}." if failures else ""
    return (
        f"at least one trial must complete, but of {n['total']} {n['pruned']} were pruned and"
        f" {n['failed']} failed.{last}"
    )


def _seconds(study: optuna.Study, **more: float) -> dict[str, float]:
    """Seconds of search and final job over all runs of the study, these ones added."""
    total = dict(study.user_attrs.get("seconds", {}))
    for part, seconds in more.items():
        total[part] = round(total.get(part, 0.0) + seconds, 1)
    study.set_user_attr("seconds", total)
    return total


def _grid_size(grid: dict[str, Any]) -> int:
    return math.prod(len(values) for values in grid.values())


def _writable(study_dir: Path) -> Path:
    try:
        study_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=study_dir):
            return study_dir
    except OSError as error:
        raise UserError(
            f"study.dir must be a writable folder, got {study_dir} ({error.strerror});"
            " choose another with study.dir=..."
        ) from None
