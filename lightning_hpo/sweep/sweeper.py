"""The sweeper: from Hydra's arguments to a finished study, its final job and its report.

Subclass of the plugin's implementation: it keeps the configuration keys, the parsing of search
spaces, the log lines and ``optimization_results.yaml``, and replaces the loop.
"""

import logging
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import optuna
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from lightning_hpo.composition.application import ending_as_we_do, is_ours
from lightning_hpo.composition.passwords import hide_passwords
from lightning_hpo.errors import StudyFailed, accepting
from lightning_hpo.launchers.executors import BatchExecutor, Executor, LaunchesSlots
from lightning_hpo.launchers.pruned import log_prunes_in_one_line
from lightning_hpo.launchers.remote import RemoteExecutor, runs_elsewhere
from lightning_hpo.machine import caller
from lightning_hpo.machine.signals import interruptible
from lightning_hpo.output.control_characters import visible
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.results import trials, written
from lightning_hpo.storage.embedded import is_own_file, sqlite_database
from lightning_hpo.storage.originals import check_folder_is_new, claim, set_aside_unknown_trials
from lightning_hpo.storage.recorded import check_holds_no_other
from lightning_hpo.storage.study import create_storage, open_storage, storage_errors
from lightning_hpo.storage.writable import must_be_writable, writable
from lightning_hpo.strategies.pruning import make_pruner
from lightning_hpo.strategies.replay import ReplaySampler
from lightning_hpo.strategies.sampling import GridSampler, SeededPerTrial, is_grid, make_sampler
from lightning_hpo.sweep import application, starting
from lightning_hpo.sweep.checks import check_direction
from lightning_hpo.sweep.conclusion import conclude
from lightning_hpo.sweep.display import tally
from lightning_hpo.sweep.display.display import Display, quieten_log
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.evaluation import evaluate
from lightning_hpo.sweep.fleet.controllers import Fleet
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.identity import Identity, check_searchable, settle
from lightning_hpo.sweep.nested import failure_of_nested
from lightning_hpo.sweep.preparation import prepare
from lightning_hpo.sweep.search import fingerprint
from lightning_hpo.sweep.search.arguments import read_params
from lightning_hpo.sweep.search.composition import Composition
from lightning_hpo.sweep.search.decisive import decisive_in
from lightning_hpo.sweep.search.loop import Search
from lightning_hpo.sweep.search.space import SearchSpace, parse_space
from lightning_hpo.sweep.seconds import timed
from lightning_hpo.sweep.settings import Settings

log = logging.getLogger(__name__)


class StudySweeperImpl(OptunaSweeperImpl):
    """One sweep over one study."""

    # Set by ``setup``, before anything else is called.
    config: DictConfig
    launcher: Launcher
    hydra_context: HydraContext
    settings: Settings
    composition: Composition
    # Only where the jobs are ours.
    identity: Identity | None = None
    grid: GridSampler | None = None

    def __init__(
        self,
        *,
        n_jobs: int | str,
        max_failure_rate: float,
        pruner: DictConfig | Literal["auto"] | None,
        conditions: DictConfig,
        **of_the_plugin: Any,
    ) -> None:
        # The plugin asserts what Settings.check says in words.
        super().__init__(n_jobs=0, max_failure_rate=1.0, **of_the_plugin)
        self.max_failure_rate = max_failure_rate
        self.slots_wanted = n_jobs
        self.pruner = pruner
        self.conditions = conditions

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        is_study = is_ours(task_function)
        if is_study:
            # Done by a callback already, unless somebody took it out of the configuration.
            hide_passwords(config)
            self.identity = settle(config)
            self.study_name, self.storage = self.identity.name, self.identity.storage
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        if not is_study:
            log_prunes_in_one_line(self.launcher, task_function)
        self.settings = Settings(
            config, self.slots_wanted, self.max_failure_rate, is_study=is_study
        )
        self.composition = Composition(config, hydra_context.config_loader, is_study=is_study)

    def sweep(self, arguments: list[str]) -> None:
        """Search, then evaluate; raises an error of :mod:`lightning_hpo.errors` when it cannot."""
        with nullcontext() if self.settings.is_study else ending_as_we_do():
            self._sweep(arguments)

    def _sweep(self, arguments: list[str]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # Our defaults choose multivariate TPE and its companions knowingly.
        warnings.simplefilter("ignore", ExperimentalWarning)
        self.settings.check()
        if self.settings.is_study:
            check_direction(self.direction, self.settings.directions())
        else:
            application.refuse_in_a_trial()
        if self.settings.verbosity == "quiet":
            quieten_log()
        space = self._space(arguments)
        self._check_space(space)
        self._check_strategies(space)
        study_dir = self._checked_places()
        display = self._display(self._n_trials(space))
        for note in self.identity.notes if self.identity else application.notes(self.config):
            display.note(note)
        with interruptible(), must_be_writable(study_dir), Owner(study_dir) as owner:
            with self._executor(display.tally.slots) as executor:
                display.tally.capacity = executor.n_free
                facts = self._preflight(space, executor, display)
                if facts is not None:
                    display.tally.final_cost = self.settings.final_cost(facts.n_samples)
                study = self._open_study(space, owner, facts)
                with self._fleet(owner, study) as fleet:
                    self._check_fingerprint(study, space, fleet, facts, display)
                    search = self._search(study, space, executor, fleet, display)
                    failure = self._search_and_evaluate(search, fleet, display, facts)
            owner.look()
            # What failed a study, such as a full disk, may keep its results from being written too.
            hindrances: tuple[type[Exception], ...] = (OSError, *storage_errors())
            with suppress(*(hindrances if failure is not None else ())):
                failure = failure or failure_of_nested(study, self.settings, facts, display)
                conclude(study, study_dir, self.config, facts, display)
        if failure is not None:
            raise failure

    # ------------------------------------------------------------------ preparation

    def _checked_places(self) -> Path:
        """The study's folder; what would fail after the preparation fails before it."""
        study_dir = writable(self.settings.study_dir)
        caller.tell(folder=str(study_dir.absolute()))
        if self.identity is not None:
            check_holds_no_other(study_dir, self.identity.name)
        if self.settings.is_study:
            if self.storage is not None:
                open_storage(self.storage, study_dir)
            elif not StudyFolder(study_dir).database.exists():
                check_folder_is_new(study_dir, name=self.study_name)
            claim(study_dir, trusted=self.settings.trust, replayed=self.settings.replay)
        else:
            self.study_name = application.study_name(self.study_name, self.storage, study_dir)
            application.mark_as_own(study_dir)
        return study_dir

    def _fleet(self, owner: Owner, study: optuna.Study) -> Fleet:
        shared = not is_own_file(self.storage, self.settings.study_dir)
        return Fleet(owner, study, shared=shared, heartbeat_s=self.settings.heartbeat_s)

    def _get_directions(self) -> list[str]:
        if self.settings.is_study or self.direction is None:
            return self.settings.directions()
        return super()._get_directions()

    def _space(self, arguments: Sequence[str]) -> SearchSpace:
        extend = self.custom_search_space_extender
        config_loader = self.hydra_context.config_loader
        params = read_params(
            _plain(self.params, resolve=True),
            _plain(OmegaConf.select(self.config, "hydra.sweeper.params"), resolve=False),
            arguments,
            config_loader=config_loader,
        )
        space = parse_space(
            [*params, *arguments],
            conditions=_plain(self.conditions, resolve=True),
            configured=self.composition.configured,
            extend=None if extend is None else lambda trial: extend(self.config, trial),
            config_loader=config_loader,
        )
        if self.identity is None:
            return space
        check_searchable(space.distributions)
        self.settings.check_searched(space.distributions)
        return replace(space, fixed_overrides=(*space.fixed_overrides, *self.identity.told))

    def _check_space(self, space: SearchSpace) -> None:
        for point in self.settings.start_points:
            space.start_point(point)
        self.composition.check(space, final=self.settings.final_overrides)

    def _check_strategies(self, space: SearchSpace) -> None:
        """Make sampler and pruner once before anything is prepared, which takes a while."""
        with accepting("hydra.sweeper.sampler"):
            self._make_sampler(space)
        with accepting("pruner"):
            make_pruner(self._pruner, monitor=self.settings.monitor)

    def _n_trials(self, space: SearchSpace) -> int:
        if self.settings.is_study and not space:
            return 0
        if is_grid(self.sampler):
            self.n_trials = min(self.n_trials, len(self._grid(space)))
            log.info(f"Updating num of trials to {self.n_trials} due to using GridSampler.")
        return self.n_trials

    def _grid(self, space: SearchSpace) -> GridSampler:
        # Once: it goes through all points, of which there may be a million.
        if self.grid is None:
            seed = self.sampler.get("seed")
            self.grid = GridSampler(space.distributions, existing=space.existing, seed=seed)
        return self.grid

    def _display(self, n_trials: int) -> Display:
        # In this process, one job after the other: a batch would only make suggestions older.
        in_process = isinstance(self.launcher, BasicLauncher)
        slots = 1 if in_process else self.settings.slots(n_trials)
        minimize = self._get_directions()[0] == "minimize"
        rounds = self.settings.final_rounds(slots)
        monitor = self.settings.monitor
        return Display(
            Tally(n_trials, slots, monitor, minimize=minimize, final_rounds=rounds),
            verbosity=self.settings.verbosity,
            steps=self.settings.steps,
        )

    def _executor(self, n_slots: int) -> Executor:
        if isinstance(self.launcher, LaunchesSlots):
            return self.launcher.workers(n_slots)
        if runs_elsewhere(self.launcher):
            return RemoteExecutor(self.launcher, n_slots=n_slots)
        return BatchExecutor(self.launcher, n_slots=n_slots)

    def _preflight(self, space: SearchSpace, executor: Executor, display: Display) -> Facts | None:
        if not self.settings.is_study:
            return None
        display.stage("preparation: data, model, device")
        groups = self.config.hydra.runtime.choices
        facts = prepare(executor, space, groups=groups, study_dir=self.settings.study_dir)
        for note in facts.words(verbose=self.settings.verbosity == "verbose"):
            display.note(note)
        return facts

    # ------------------------------------------------------------------ search and final job

    def _open_study(self, space: SearchSpace, owner: Owner, facts: Facts | None) -> optuna.Study:
        directions, study_dir = self._get_directions(), self.settings.study_dir
        with owner.exclusive():
            study = optuna.create_study(
                study_name=self.study_name,
                storage=create_storage(self.storage, study_dir),
                sampler=self._make_sampler(space),
                pruner=make_pruner(self._pruner, monitor=self.settings.monitor),
                directions=directions,  # type: ignore[arg-type]
                load_if_exists=True,
            )
            self._keep_in_place(study, owner)
        log.info(f"Study name: {visible(study.study_name)}")
        log.info(f"Storage: {written.public(self.storage, study_dir)}")
        inner = study.sampler.inner if isinstance(study.sampler, SeededPerTrial) else study.sampler
        log.info(f"Sampler: {type(inner).__name__}")
        log.info(f"Directions: {directions}")
        return study

    def _keep_in_place(self, study: optuna.Study, owner: Owner) -> None:
        """Its database must stay the one it is; no trial may get the folder of another."""
        database = sqlite_database(self.storage, self.settings.study_dir)
        if database is not None and database.is_file():
            owner.originals.note(database)
        if not self.settings.is_study:
            # The folders of its trials are their application's.
            return
        n_trials = len(study.get_trials(deepcopy=False))
        if n_trials == 0:
            check_folder_is_new(self.settings.study_dir, name=study.study_name)
        elsewhere = set_aside_unknown_trials(self.settings.study_dir, n_trials=n_trials)
        if elsewhere is not None:
            log.warning(elsewhere)

    def _check_fingerprint(
        self,
        study: optuna.Study,
        space: SearchSpace,
        fleet: Fleet,
        facts: Facts | None,
        display: Display,
    ) -> None:
        directions, monitor = self._get_directions(), self.settings.monitor
        if facts is None:
            application.require_same(study, space, directions)
            with fleet.exclusive():
                changed = fingerprint.renew(study, fingerprint.of(space, directions, monitor))
            if changed:
                display.note(f"from here on the study has other {changed}")
            return
        settings = decisive_in(self.composition, space, facts)
        now = fingerprint.of(space, directions, monitor, facts.data_sha256, settings)
        with fleet.exclusive():
            fingerprint.check(study, now, force=self.settings.force_resume)
            trials.name_objectives(study, [monitor, *self.settings.further_objectives])

    @property
    def _pruner(self) -> DictConfig | Literal["auto"] | None:
        # Optuna cannot compare trials midway by several objectives.
        return self.pruner if len(self._get_directions()) == 1 else None

    def _make_sampler(self, space: SearchSpace) -> BaseSampler:
        if self.settings.replay is not None:
            return ReplaySampler(self.settings.replay)
        return self._grid(space) if is_grid(self.sampler) else make_sampler(self.sampler)

    def _search(
        self,
        study: optuna.Study,
        space: SearchSpace,
        executor: Executor,
        fleet: Fleet,
        display: Display,
    ) -> Search:
        return Search(
            study,
            space,
            executor,
            fleet,
            limits=self.settings.limits(display.tally.total),
            observer=display,
            callbacks=self.settings.callbacks,
            told=None if self.settings.is_study else self._guests(study).told,
            marks=fingerprint.marks(study),
        )

    def _guests(self, study: optuna.Study) -> application.Guests:
        return application.Guests(study, self.config, self.hydra_context.config_loader)

    def _search_and_evaluate(
        self, search: Search, fleet: Fleet, display: Display, facts: Facts | None
    ) -> StudyFailed | None:
        """Run both; a failure is handed back, so that the results are written all the same."""
        with display.shown():
            try:
                with timed(search.study, "search"):
                    self._run_search(search, display, facts)
                with timed(search.study, "final"):
                    evaluate(search, fleet, display, self.settings, facts)
            except StudyFailed as failure:
                return failure
        return None

    def _run_search(self, search: Search, display: Display, facts: Facts | None) -> None:
        known = starting.configured_values(search.space, self.composition.configured, facts)
        starting.enqueue(search, self.settings, known, sampler=self.sampler)
        recovered = search.recover()
        if recovered:
            display.note(f"trials {recovered} lost their controller and are tried again")
        tally.tally_earlier(search.study, display.tally)
        left, total = search.remaining(), search.limits.n_trials
        if self.settings.final and self.settings.final_trial is not None:
            trials.check_final_trial(search.study, self.settings.final_trial, to_come=left)
        if left > 0:
            display.stage(f"search: {left} trials in {display.tally.slots} slots")
        elif left < 0:
            display.tally.total = total - left
            display.note(f"the study has {total - left} trials, more than {total}; none is added")
        elif total:
            display.note(f"the study has its {total} trials; none is added")
        # Also with nothing left: trials that run elsewhere may yet need this controller.
        search.run()
        if not self.settings.is_study:
            application.note_silent_pruner(search.study, self._pruner, display)
        if search.space and trials.best_trial(search.study) is None:
            trials.require_a_complete_trial(search.study)


def _plain(node: Any, *, resolve: bool) -> Any:
    """A node of the configuration as Python's own types; None as an empty mapping."""
    found = OmegaConf.to_container(node, resolve=resolve) if OmegaConf.is_config(node) else node
    return {} if found is None else found
