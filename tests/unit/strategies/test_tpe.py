"""Our TPE suggests what Optuna's suggests, whatever has ended and in whatever order."""

import random
import warnings
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from lightning_hpo.entry import config_dir
from lightning_hpo.strategies.sampling import SeededPerTrial, make_sampler
from lightning_hpo.strategies.tpe import TPESampler

N_TRIALS, N_AT_A_TIME = 36, 4


@pytest.fixture(autouse=True)
def no_warnings_of_experimental_settings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def suggest(trial: Trial) -> float:
    kind = trial.suggest_categorical("kind", ["sgd", "adam", None])
    value = trial.suggest_float("lr", 1e-4, 0.1, log=True)
    value += trial.suggest_int("filters", 16, 64, step=2) / 64
    value += trial.suggest_int("epochs", 1, 100, log=True) / 100
    value += trial.suggest_float("share", 0.0, 1.0, step=0.25)
    if kind == "sgd":
        value += trial.suggest_float("momentum", 0.8, 0.99)
    elif kind == "adam":
        value += trial.suggest_float("beta", 0.8, 0.99) + trial.suggest_int("amsgrad", 0, 1)
    # Few values, so that many trials are equally good.
    return round(value, 1)


def searched(sampler: BaseSampler, directions: list[str]) -> list[dict[str, Any]]:
    """The parameters of a search that ends its trials in another order than it asks for them."""
    study = optuna.create_study(sampler=sampler, directions=directions)
    rng = random.Random(3)
    running: list[tuple[Trial, float]] = []
    for _ in range(N_TRIALS):
        trial = study.ask()
        running.append((trial, suggest(trial)))
        # The first trial runs to the end, beside all others.
        while len(running) > N_AT_A_TIME:
            end(study, *running.pop(rng.randrange(1, len(running))), rng)
    return [trial.params for trial in study.get_trials(deepcopy=False)]


def end(study: optuna.Study, trial: Trial, value: float, rng: random.Random) -> None:
    if trial.number % 7 == 3:
        study.tell(trial, state=TrialState.FAIL)
    elif len(study.directions) == 2:
        study.tell(trial, [value, round(rng.random(), 1)])
    elif trial.number % 3 == 0:
        trial.report(value, step=rng.randrange(3))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        if trial.number % 5 == 0:
            trial.set_constraint("memory", rng.random() - 0.5)
        study.tell(trial, value)


def agree(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether two searches suggested the same, up to the rounding of numbers."""
    return len(found) == len(expected) and all(
        list(ours) == list(theirs)
        and all(
            value == pytest.approx(theirs[name], rel=1e-9)
            if isinstance(value, float)
            else value == theirs[name]
            for name, value in ours.items()
        )
        for ours, theirs in zip(found, expected, strict=True)
    )


# Rule: the same seeds suggest the same parameters, up to the rounding of numbers.
@pytest.mark.parametrize("directions", [["minimize"], ["maximize"], ["minimize", "maximize"]])
@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("constant_liar", [True, False])
def test_it_suggests_what_optunas_suggests(directions, grouped, constant_liar):
    settings = {
        "multivariate": True,
        "group": grouped,
        "constant_liar": constant_liar,
        "n_startup_trials": 5,
    }

    def fresh(seed: int) -> BaseSampler:
        return optuna.samplers.TPESampler(seed=seed, **settings)

    ours = SeededPerTrial(TPESampler(seed=1, **settings).seeded, seed=1)
    expected = searched(SeededPerTrial(fresh, seed=1), directions)
    assert agree(searched(ours, directions), expected)
    assert len({str(params) for params in expected}) == N_TRIALS


# Rule: one that was not seeded for each trial keeps on suggesting as Optuna's own does.
def test_one_stream_of_suggestions_is_that_of_optunas():
    expected = searched(optuna.samplers.TPESampler(seed=0, multivariate=False), ["minimize"])
    found = searched(TPESampler(seed=0, multivariate=False), ["minimize"])
    assert agree(found, expected)
    # What is compared tells two streams apart.
    assert not agree(searched(TPESampler(seed=1, multivariate=False), ["minimize"]), expected)


# Rule: a sampler that has served one study knows nothing of it in the next.
def test_another_study_is_another_memory():
    def ours() -> SeededPerTrial:
        settings = {"multivariate": True, "group": True, "n_startup_trials": 5}
        return SeededPerTrial(TPESampler(seed=1, **settings).seeded, seed=1)

    used = ours()
    searched(used, ["maximize"])
    assert searched(used, ["minimize"]) == searched(ours(), ["minimize"])


@pytest.mark.parametrize("seed", [0, None])
def test_the_default_sampler_is_ours_with_its_settings(seed):
    node = OmegaConf.load(config_dir() / "hydra" / "sweeper" / "sampler" / "tpe.yaml")
    node.update(seed=seed, n_startup_trials=4)
    made = make_sampler(node)
    inner = made if seed is None else made.inner
    assert type(inner) is TPESampler
    assert (inner._n_startup_trials, inner._group, inner._constant_liar) == (4, True, True)


# Rule: the memory reaches into Optuna's sampler; in a version that it does not know, Optuna's own
# sampler suggests.
def test_an_unknown_optuna_has_its_own_sampler(monkeypatch):
    monkeypatch.setattr(optuna, "__version__", "5.1.0")
    node = OmegaConf.load(config_dir() / "hydra" / "sweeper" / "sampler" / "tpe.yaml")
    node.update(seed=0, n_startup_trials=4)
    assert type(make_sampler(node).inner) is optuna.samplers.TPESampler
