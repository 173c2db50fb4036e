"""The stock plugin's documented examples give the documented results through our sweeper."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import warm
from databases import trials_in
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

pytestmark = pytest.mark.sweep

HERE = Path(__file__).parent
STOCK, OURS = "optuna", "lightning_hpo"
# The lines that the stock plugin logs, the values left out.
LOG = r"(Study name|Storage|Sampler|Directions|Best (?:parameters|value)|Number of|Updating)"


@dataclass(frozen=True)
class Sweep:
    """What a finished sweep left behind."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def results(self) -> dict[str, Any]:
        found = OmegaConf.to_container(OmegaConf.load(self.folder / "optimization_results.yaml"))
        assert isinstance(found, dict)
        return found

    @property
    def log(self) -> list[str]:
        return re.findall(LOG, self.out)

    @property
    def trials(self) -> list[FrozenTrial]:
        return self.trials_in("study.sqlite")

    def trials_in(self, file: str) -> list[FrozenTrial]:
        return trials_in(self.folder / file)


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/study.sqlite"


@pytest.fixture
def sweep(tmp_path):
    """Run an example through a sweeper: ``sweep(OURS, "sphere", *overrides)``."""

    def run(sweeper: str, example: str, *overrides: str, launcher: str = "basic") -> Sweep:
        folder = tmp_path / sweeper
        folder.mkdir(exist_ok=True)
        root = HERE.parents[1]
        env = os.environ | {"PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore"}
        words = [
            "--multirun",
            f"--config-name={example}",
            f"hydra/sweeper={sweeper}",
            f"hydra/launcher={launcher}",
            f"hydra.sweep.dir={folder}",
            *overrides,
        ]
        if not any("hydra.sweeper.storage" in word for word in words):
            words.append(f"hydra.sweeper.storage={url(folder)}")
        told = [str(HERE / "documented.py"), *words]
        ended = warm.run(told, cwd=tmp_path, env=env, timeout=120)
        return Sweep(ended.returncode, ended.stdout, ended.stderr, folder)

    return run


def test_one_objective_with_a_fixed_parameter_and_a_deletion(sweep):
    words = ("x=choice(0, 1, 2)", "y=0", "~z", "hydra.sweeper.sampler.seed=123")
    stock, ours = sweep(STOCK, "sphere", *words), sweep(OURS, "sphere", *words)
    assert (ours.status, stock.status) == (0, 0), ours.err
    assert ours.results.items() >= {"name": "optuna", "best_params": {"x": 0}}.items()
    assert ours.results["best_value"] == 0
    assert stock.results.items() <= ours.results.items()
    assert ours.log == stock.log
    assert len(ours.trials) == len(stock.trials) == 20
    # The fixed parameter is a user attribute, and not searched.
    assert {t.user_attrs["y"] for t in ours.trials} == {"0"}
    assert {t.user_attrs["y"] for t in stock.trials} == {"0"}
    assert all(t.params.keys() == {"x"} for t in ours.trials)


def test_tpe_finds_what_the_stock_plugins_own_test_asks_for(sweep):
    ours = sweep(OURS, "sphere", "hydra.sweeper.sampler.seed=123")
    assert ours.status == 0, ours.err
    # The 95th percentile over 1000 seeds, from the stock plugin's tests.
    assert ours.results["best_value"] <= 2.27


@pytest.mark.parametrize("launcher", ["basic", "workers"])
def test_the_grid_sampler_visits_the_same_points(sweep, launcher):
    words = ("hydra/sweeper/sampler=grid", "x=range(-1, 3)", "y=choice(-1, 0, 1)")
    stock = sweep(STOCK, "sphere", *words)
    ours = sweep(OURS, "sphere", *words, "hydra.sweeper.n_jobs=2", launcher=launcher)
    assert (ours.status, stock.status) == (0, 0), ours.err
    assert "Updating num of trials to 12 due to using GridSampler." in ours.out
    points = [sorted(tuple(t.params.values()) for t in s.trials) for s in (ours, stock)]
    assert points[0] == points[1]
    assert len(set(points[0])) == 12
    assert stock.results.items() <= ours.results.items()
    assert ours.log == stock.log


@pytest.mark.parametrize("sampler", ["nsgaii", "tpe"])
def test_several_objectives_give_their_pareto_front(sweep, sampler):
    words = (f"hydra/sweeper/sampler={sampler}", "hydra.sweeper.sampler.seed=123")
    stock, ours = (sweep(s, "multi_objective", *words) for s in (STOCK, OURS))
    assert (ours.status, stock.status) == (0, 0), ours.err
    assert ours.results["name"] == "optuna"
    front = ours.results["solutions"]
    assert front
    assert all(s.keys() == stock.results["solutions"][0].keys() for s in front)
    assert not any(dominates(a["values"], b["values"]) for a in front for b in front)
    told = [tuple(t.values) for t in ours.trials]
    assert all(any(s["values"] == list(v) for v in told) for s in front)
    assert ours.log == stock.log
    assert "    Values: [" in ours.out


def dominates(a: list[float], b: list[float]) -> bool:
    better = any(x < y for x, y in zip(a, b, strict=True))
    return better and all(x <= y for x, y in zip(a, b, strict=True))


def test_a_custom_search_space_extends_the_configured_one(sweep):
    words = ("max_z_difference_from_x=0.3",)
    stock, ours = (sweep(s, "custom_search_space", *words) for s in (STOCK, OURS))
    assert (ours.status, stock.status) == (0, 0), ours.err
    for trial in ours.trials:
        assert trial.params.keys() == {"x", "y", "z", "w"}
        assert abs(trial.params["x"] - trial.params["z"]) <= 0.3
        assert 0 <= trial.params["w"] <= 1
    best = min(ours.trials, key=lambda trial: trial.value)
    assert ours.results["best_params"] == best.params
    assert ours.results.keys() >= stock.results.keys()


@pytest.mark.parametrize("max_failure_rate", [0.0, 0.5])
def test_too_many_failures_end_the_sweep_with_the_reason(sweep, max_failure_rate):
    words = (f"hydra.sweeper.max_failure_rate={max_failure_rate}", "+error=true")
    stock, ours = (sweep(s, "sphere", *words) for s in (STOCK, OURS))
    assert (ours.status, stock.status) == (1, 1)
    assert "RuntimeError: cfg.error is True" in ours.err
    assert len(ours.trials) < 20
    # The stock plugin shows the job's frames, we say what failed.
    assert "Traceback" in stock.err and "Traceback" not in ours.err
    assert ours.err.splitlines()[-1].startswith("lightning-hpo: at most a share of ")


def test_keys_with_the_names_of_ours_mean_nothing_in_another_application(sweep):
    words = ("+mode=max", "+study={job: x, timeout_s: 0, enqueue: 5, gpus_per_trial: many}")
    memory = ("hydra.sweeper.direction=null", "hydra.sweeper.storage=null")
    ours = sweep(OURS, "sphere", *words, *memory, "x=choice(0, 2)", "y=0", launcher="workers")
    assert ours.status == 0, ours.err
    # Without a direction the stock plugin minimises.
    assert "Directions: ['minimize']" in ours.out
    assert ours.results["best_value"] == 0
    assert f"Storage: sqlite:///{ours.folder}/study.db" in ours.out
    assert len(ours.trials_in("study.db")) == 20


def test_a_failure_rate_of_one_runs_all_trials_and_writes_the_results(sweep):
    ours = sweep(OURS, "sphere", "hydra.sweeper.max_failure_rate=1.0", "+error=true")
    assert ours.status == 1
    assert [t.state for t in ours.trials] == [TrialState.FAIL] * 20
    assert ours.results["best_params"] is None


def test_a_second_sweep_on_the_same_storage_fills_up_to_the_total(sweep):
    first = sweep(OURS, "sphere", "hydra.sweeper.n_trials=6", "hydra.sweeper.sampler.seed=1")
    again = sweep(OURS, "sphere", "hydra.sweeper.n_trials=9", "hydra.sweeper.sampler.seed=1")
    assert (first.status, again.status) == (0, 0), again.err
    assert len(again.trials) == 9


def test_a_storage_may_be_a_target_which_the_stock_plugin_refuses(sweep, tmp_path):
    target = "{_target_: optuna.storages.RDBStorage, url: 'sqlite:///%s/study.sqlite'}"
    results = [
        sweep(s, "sphere", f"hydra.sweeper.storage={target % (tmp_path / s)}")
        for s in (STOCK, OURS)
    ]
    assert [r.status for r in results] == [1, 0], results[1].err
    assert len(results[1].trials) == 20
