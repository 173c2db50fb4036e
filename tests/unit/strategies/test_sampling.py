"""Suggestions derive from (seed, trial number), not from the order of calls."""

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.samplers import RandomSampler, TPESampler

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.strategies.sampling import GridSampler, SeededPerTrial, make_sampler
from lightning_hpo.sweep.search.space import parse_space


def suggestions(study: optuna.Study, n: int) -> list[float]:
    values = []
    for _ in range(n):
        trial = study.ask()
        values.append(trial.suggest_float("x", 0, 1))
        study.tell(trial, values[-1])
    return values


def sampler(seed: int = 0) -> SeededPerTrial:
    return SeededPerTrial(lambda s: RandomSampler(seed=s), seed=seed)


def test_a_resumed_study_goes_on_as_if_it_had_never_stopped():
    whole = suggestions(optuna.create_study(sampler=sampler()), 6)
    storage = optuna.storages.InMemoryStorage()
    first = optuna.create_study(storage=storage, study_name="s", sampler=sampler())
    halves = suggestions(first, 3)
    again = optuna.load_study(storage=storage, study_name="s", sampler=sampler())
    assert halves + suggestions(again, 3) == whole
    assert len(set(whole)) == 6


def test_the_seed_decides():
    zero, one = (suggestions(optuna.create_study(sampler=sampler(s)), 3) for s in (0, 1))
    assert zero != one


def test_conditional_spaces_work_through_the_wrapper():
    def make(seed: int) -> TPESampler:
        return TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=2)

    study = optuna.create_study(sampler=SeededPerTrial(make, seed=0))
    for _ in range(8):
        trial = study.ask()
        value = trial.suggest_float("x", 0, 1)
        if trial.suggest_categorical("c", ["a", "b"]) == "a":
            value += trial.suggest_float("y", 0, 1)
        study.tell(trial, value)
    assert all(("y" in t.params) == (t.params["c"] == "a") for t in study.trials)


def test_motpe_is_refused_with_its_successor():
    node = OmegaConf.load(config_dir() / "hydra" / "sweeper" / "sampler" / "motpe.yaml")
    with pytest.raises(UserError, match="hydra/sweeper/sampler=tpe"):
        make_sampler(node)


# Rule: a grid holds each trial once. Three options, of which one brings two values of momentum:
# four points, where Optuna's own grid counts six.
def test_a_grid_counts_what_conditions_leave_out_once():
    space = parse_space(
        ["optimizer=choice(sgd, adam, radam)", "optimizer.momentum=choice(0.5, 0.9)"],
        conditions={"optimizer.momentum": {"optimizer": "sgd"}},
    )
    grid = GridSampler(space.distributions, existing=space.existing, seed=0)
    assert len(grid) == 4
    study = optuna.create_study(sampler=grid)

    def objective(trial: optuna.Trial) -> float:
        space.suggest(trial)
        return 0.0

    study.optimize(objective, n_trials=100)
    assert sorted(str(sorted(t.params.items())) for t in study.trials) == [
        "[('optimizer', 'adam')]",
        "[('optimizer', 'radam')]",
        "[('optimizer', 'sgd'), ('optimizer.momentum', 0.5)]",
        "[('optimizer', 'sgd'), ('optimizer.momentum', 0.9)]",
    ]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("x=interval(0.1, 1)", r"values to choose from, got x in FloatDistribution.*x=choice"),
        ("x=range(0, 2000000)", "at most 1000000 points, got 2000000"),
    ],
)
def test_a_grid_that_cannot_be_run_through_is_refused(argument, message):
    space = parse_space([argument], conditions={})
    with pytest.raises(UserError, match=message):
        GridSampler(space.distributions, existing=space.existing, seed=0)
