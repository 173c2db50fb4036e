"""What the sweeper decides by itself, between the parts of a study that it puts together."""

import io
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console

from hydra_plugins.hydra_lightning_hpo.workers import WorkersLauncher
from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.launchers.executors import BatchExecutor
from lightning_hpo.launchers.remote import RemoteExecutor
from lightning_hpo.launchers.workers import Workers
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.strategies.replay import ReplaySampler
from lightning_hpo.sweep import sweeper as sweepers
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.search.composition import Composition
from lightning_hpo.sweep.search.space import parse_space
from lightning_hpo.sweep.settings import Settings
from lightning_hpo.sweep.sweeper import StudySweeperImpl

RANDOM = {"_target_": "optuna.samplers.RandomSampler", "seed": 1}
GRID = {"_target_": "optuna.samplers.GridSampler", "seed": 1}
MEDIAN = {"_target_": "optuna.pruners.MedianPruner"}
RANGE, CHOICES = ["x=interval(0, 1)"], ["x=choice(1, 2, 3)"]
FACTS = Facts("data", None, None, "cpu")


def sweeper(folder: Path = Path("studies/s"), *, is_study: bool = True, **keys: Any) -> Any:
    """One that is set up, with these keys of the sweeper and, in ``config``, of the study."""
    config = {
        "monitor": "val/loss",
        "mode": "min",
        "study": {"final": False, "dir": str(folder)} | keys.pop("config", {}),
        "cv": {"n_splits": 4, "final": True},
        "trainer": {"max_epochs": 8, "accelerator": "cpu"},
        "hydra": {"sweep": {"dir": str(folder)}},
    }
    own = {
        **{"sampler": RANDOM, "direction": None, "storage": None, "study_name": "s"},
        **{"n_trials": 20, "n_jobs": 4, "max_failure_rate": 0.5, "custom_search_space": None},
        **{"params": None, "pruner": MEDIAN, "conditions": {}},
    } | keys
    nodes = ("sampler", "pruner", "conditions")
    own |= {key: OmegaConf.create(own[key]) for key in nodes if own[key] is not None}
    made = StudySweeperImpl(**own)
    made.config = OmegaConf.create(config)
    made.settings = Settings(made.config, own["n_jobs"], 0.5, is_study=is_study)
    made.launcher = BasicLauncher()
    made.composition = Composition(
        made.config, ConfigLoaderImpl(ConfigSearchPathImpl()), is_study=is_study
    )
    return made


def space(words: list[str]) -> Any:
    return parse_space(words, conditions={})


# Rule: a study without anything to search has no trials, only its final job; of another
# application's jobs each is a trial.
def test_without_a_space_a_study_has_no_trials() -> None:
    assert sweeper()._n_trials(space([])) == 0
    assert sweeper()._n_trials(space(RANGE)) == 20
    assert sweeper(is_study=False)._n_trials(space([])) == 20


def test_a_grid_has_no_more_trials_than_points() -> None:
    assert sweeper(sampler=GRID)._n_trials(space(CHOICES)) == 3
    assert sweeper(sampler=GRID, n_trials=2)._n_trials(space(CHOICES)) == 2


def test_a_grid_is_gone_through_once() -> None:
    made, points = sweeper(sampler=GRID), space(CHOICES)
    assert made._make_sampler(points) is made._make_sampler(points)


# Rule: a recorded study is followed whatever sampler is configured.
def test_a_replayed_study_is_its_own_sampler(tmp_path: Path) -> None:
    recorded = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db", study_name="s")
    assert recorded.study_name == "s"
    made = sweeper(sampler=GRID, config={"replay": str(tmp_path)})
    assert isinstance(made._make_sampler(space(RANGE)), ReplaySampler)


# Rule: Optuna cannot compare trials midway by several objectives.
def test_several_objectives_have_no_pruner() -> None:
    assert sweeper()._pruner == MEDIAN
    assert sweeper(config={"objectives": {"seconds": "minimize"}})._pruner is None


# Rule: the directions of a study are its own to say; another application's may be typed.
def test_whose_word_the_directions_are() -> None:
    assert sweeper(direction="maximize")._get_directions() == ["minimize"]
    assert sweeper(direction="maximize", is_study=False)._get_directions() == ["maximize"]
    assert sweeper(is_study=False)._get_directions() == ["minimize"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"sampler": RANDOM | {"sede": 1}},
            r"hydra\.sweeper\.sampler must .*unexpected keyword argument 'sede'",
        ),
        (
            {"pruner": MEDIAN | {"n_startup_trials": -1}},
            "^pruner must accept its settings, but: .*startup trials cannot be negative",
        ),
    ],
)
def test_settings_that_sampler_or_pruner_refuse_are_the_users_mistake(wrong, message) -> None:
    sweeper()._check_strategies(space(RANGE))
    with pytest.raises(UserError, match=message):
        sweeper(**wrong)._check_strategies(space(RANGE))


def test_a_grid_of_a_range_keeps_its_own_words() -> None:
    with pytest.raises(UserError, match="a grid must have values to choose from, got x in"):
        sweeper(sampler=GRID)._check_strategies(space(RANGE))


# Rule: Hydra's own launcher runs one job after the other in this process, whatever is asked for.
def test_how_many_slots_are_shown() -> None:
    made = sweeper()
    assert made._display(20).tally.slots == 1
    made.launcher = WorkersLauncher(threads=1)
    assert made._display(20).tally.slots == 4


def test_what_the_display_is_told_of_the_study() -> None:
    tally = sweeper(config={"verbosity": "verbose"})._display(20).tally
    assert (tally.total, tally.monitor, tally.minimize) == (20, "val/loss", True)


class Elsewhere(Launcher):
    """A launcher of a plugin whose jobs run on other machines."""

    __module__ = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"

    def setup(self, **_: Any) -> None: ...

    def launch(self, job_overrides: Any, initial_job_idx: int) -> Any: ...


def workers() -> WorkersLauncher:
    made: Any = WorkersLauncher(threads=1)
    made.hydra_context = made.config = None
    made.task_function = print
    return made


@pytest.mark.parametrize(
    ("launcher", "executor"),
    [(workers, Workers), (Elsewhere, RemoteExecutor), (BasicLauncher, BatchExecutor)],
)
def test_each_kind_of_launcher_has_its_executor(launcher, executor, monkeypatch) -> None:
    monkeypatch.setattr(Workers, "__init__", lambda self, **_: None)
    made = sweeper()
    made.launcher = launcher()
    assert type(made._executor(3)) is executor


# Rule: another application's study lives in memory, unless it names a storage.
def test_another_applications_jobs_are_not_prepared() -> None:
    made: Any = sweeper(is_study=False)
    assert made._preflight(space(RANGE), None, None) is None


def said(display: Display) -> str:
    return display.console.file.getvalue()  # type: ignore[attr-defined]


def display() -> Display:
    console = Console(file=io.StringIO(), width=200, _environ={})
    return Display(Tally(total=20, slots=2, monitor="m"), console=console)


def test_a_refit_that_has_to_validate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = replace(FACTS, refit_needs_validation="its schedule follows val/loss")
    monkeypatch.setattr(sweepers, "prepare", lambda *_, **__: facts)
    made, shown = sweeper(), display()
    made.config.hydra.runtime = {"choices": {}}
    assert made._preflight(space(RANGE), None, shown) is facts
    assert "the refit will validate too: its schedule follows val/loss" in said(shown)


class Searched:
    """Stands in for a search: of so many trials some are left; ``ends`` is called by its run."""

    def __init__(self, study: optuna.Study, left: int, *, recovered: tuple[int, ...] = ()) -> None:
        self.study, self.space = study, space(RANGE)
        self.limits = SimpleNamespace(n_trials=len(study.trials) + left)
        self.left, self.recovered = left, list(recovered)
        self.queued: list[Mapping[str, Any]] = []
        self.runs = 0

    def enqueue(self, points: list[Mapping[str, Any]]) -> None:
        self.queued = points

    def recover(self) -> list[int]:
        return self.recovered

    def remaining(self) -> int:
        return self.left

    def run(self) -> None:
        self.runs += 1


def study_of(*values: float | None) -> optuna.Study:
    """A study whose trials completed with these values, or failed."""
    study = optuna.create_study()
    for value in values:
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        space = {"x": FloatDistribution(0, 1)}
        study.add_trial(
            create_trial(state=state, params={"x": 0.5}, distributions=space, value=value)
        )
    return study


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (3, "search: 3 trials in 2 slots"),
        (0, "the study has its 2 trials; none is added"),
        (-1, "the study has 2 trials, more than 1; none is added"),
    ],
)
def test_what_is_said_of_the_trials_to_come(left: int, words: str) -> None:
    search: Any = Searched(study_of(0.5, 0.25), left)
    shown = display()
    sweeper()._run_search(search, shown, None)
    assert words in said(shown)
    # Also with none left: trials that run elsewhere may yet need this controller.
    assert search.runs == 1
    assert shown.tally.best == (0.25, 1)


def test_start_points_and_lost_trials_come_first() -> None:
    search: Any = Searched(study_of(0.5), 2, recovered=(0,))
    shown = display()
    sweeper(config={"enqueue": [{"x": 0.75}]})._run_search(search, shown, None)
    assert search.queued == [{"x": 0.75}]
    assert "trials [0] lost their controller and are tried again" in said(shown)


def test_a_search_without_a_complete_trial_fails() -> None:
    search: Any = Searched(study_of(None), 1)
    with pytest.raises(StudyFailed, match="at least one trial must complete"):
        sweeper()._run_search(search, display(), None)


# Rule: a trial for the final job that cannot be there is refused before the search goes on.
def test_a_final_trial_that_will_not_be_there_is_refused() -> None:
    search: Any = Searched(study_of(0.5), 2)
    keys = {"final": True, "final_trial": 3}
    with pytest.raises(UserError, match=r"got 3; there are \[0\] and 2 to come"):
        sweeper(config=keys)._run_search(search, display(), None)
    assert search.runs == 0
    sweeper(config=keys | {"final_trial": 2})._run_search(search, display(), None)
    assert search.runs == 1


# Rule: a failed study's results are written all the same, so its failure is handed back.
def test_a_failure_is_handed_back_and_its_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = StudyFailed("nothing worked")

    def fails(*_: Any) -> None:
        raise failed

    made, evaluated = sweeper(), []
    search: Any = Searched(study_of(0.5), 1)
    monkeypatch.setattr(sweepers, "evaluate", lambda *given: evaluated.append(given))
    assert made._search_and_evaluate(search, None, display(), None) is None
    assert len(evaluated) == 1
    monkeypatch.setattr(search, "run", fails)
    assert made._search_and_evaluate(search, None, display(), None) is failed
    assert len(evaluated) == 1


# Rule: of a study that is new, nothing may lie where its trials will; the database stays in place.
def test_a_new_study_finds_its_folder_empty(tmp_path: Path) -> None:
    study, made = study_of(), sweeper(tmp_path)
    with Owner(tmp_path) as owner:
        made._keep_in_place(study, owner)
        (tmp_path / "trials" / "0").mkdir(parents=True)
        (tmp_path / "trials" / "0" / "metrics.csv").touch()
        with pytest.raises(UserError, match="trials"):
            made._keep_in_place(study, owner)


@pytest.mark.parametrize(
    ("node", "plain"),
    [(None, {}), (DictConfig(None), {}), ({"a": 1}, {"a": 1}), ("text", "text")],
)
def test_a_node_that_is_not_there_is_empty(node: Any, plain: Any) -> None:
    assert sweepers._plain(node, resolve=True) == plain


def test_references_are_resolved_where_that_is_asked_for() -> None:
    node = OmegaConf.create({"a": 1, "b": "${a}"})
    assert sweepers._plain(node, resolve=True) == {"a": 1, "b": 1}
    assert sweepers._plain(node, resolve=False) == {"a": 1, "b": "${a}"}


# Rule: what trains, draws or computes statistics is loaded where that is done; everybody waits for
# the controller's imports.
def test_a_controller_starts_without_what_only_jobs_and_reports_need() -> None:
    script = (
        "import sys, lightning_hpo.sweep.sweeper; print([name for name in ('torch', 'torchvision',"
        " 'torchmetrics', 'pytorch_lightning', 'lightning', 'scipy.stats', 'sklearn', 'pandas',"
        " 'matplotlib', 'tensorboard') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "[]\n", ran.stderr
