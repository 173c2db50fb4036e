"""benchmarks/recordings.py and benchmarks/replayed, on tables whose answers are known."""

import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, distribution_to_json
from optuna.pruners import BasePruner, NopPruner, ThresholdPruner, WilcoxonPruner
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sklearn.ensemble import ExtraTreesRegressor

from benchmarks.recordings import Recording, every, read
from benchmarks.replayed import beginning as replayed_beginning
from benchmarks.replayed.contestants import (
    CONTESTANTS,
    DEFAULT,
    beginning,
    chosen,
    meeting,
    pruner,
    sampler,
)
from benchmarks.replayed.forest import Forest
from benchmarks.replayed.results import Results, interval, key, table
from benchmarks.replayed.simulation import Outcome, Simulation
from benchmarks.replayed.spaces import points, random_params, suggest
from benchmarks.replayed.worlds import World

# Three kinds of trial, which never differ among themselves; a third of all each.
CURVES = {"a": [3.0, 2.0, 1.0], "b": [4.0, 4.0, 4.0], "c": [9.0, 9.0, 5.0]}


class EndsAtOnce(WilcoxonPruner):
    """Ends every trial after its first fold."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return True


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def recording() -> Recording:
    kinds = [*CURVES] * 10
    curves = np.array([CURVES[kind] for kind in kinds])
    return Recording(
        name="toy",
        overrides=(),
        params=[{"x": kind} for kind in kinds],
        epochs=(1, 2, 3),
        curves=curves,
        values=curves[:, -1],
        space={"x": CategoricalDistribution(("a", "b", "c"))},
        conditions={},
        scheduled=False,
    )


def run(recording: Recording, pruner: BasePruner, *budgets: int) -> list[Outcome]:
    return Simulation(World(recording, 0), (1, 2, 3), RandomSampler(seed=0), pruner).run(budgets)


# ---------------------------------------------------------------- recordings


def test_a_recording_is_read_with_its_types_and_without_what_did_not_exist(tmp_path: Path) -> None:
    space = {
        "optimizer": CategoricalDistribution(("sgd", "adam")),
        "norm": CategoricalDistribution((True, False)),
        "momentum": FloatDistribution(0.5, 0.9),
    }
    (tmp_path / "two.csv").write_text(
        "optimizer,norm,momentum,epoch_5,epoch_10,value\nsgd,True,0.8,3,2,1.5\nadam,False,,4,5,4\n"
    )
    described = {name: json.loads(distribution_to_json(d)) for name, d in space.items()}
    about = {"overrides": ["x=1"], "scheduled": True, "conditions": {}, "space": described}
    (tmp_path / "two.json").write_text(json.dumps(about))
    found = read(tmp_path / "two.csv")
    assert found.params == [
        {"optimizer": "sgd", "norm": True, "momentum": 0.8},
        {"optimizer": "adam", "norm": False},
    ]
    assert (found.epochs, found.curves.tolist()) == ((5, 10), [[3.0, 2.0], [4.0, 5.0]])
    assert (found.values.tolist(), found.space, found.scheduled) == ([1.5, 4.0], space, True)


def test_recorded_parameters_lie_in_the_space_that_was_searched() -> None:
    kept = every(searched=True)
    assert {each.scheduled for each in kept} == {True, False}
    for each in kept:
        assert all(params.keys() <= each.space.keys() for params in each.params)
        assert points(each.params, each.space).max() <= 1


# ---------------------------------------------------------------- worlds


def test_a_parameter_is_suggested_only_where_its_condition_holds(recording: Recording) -> None:
    space = {**recording.space, "y": FloatDistribution(1.0, 2.0)}
    object.__setattr__(recording, "space", space)
    object.__setattr__(recording, "conditions", {"y": {"x": ["a", "b"]}})
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    found = [suggest(study.ask(), recording) for _ in range(30)]
    assert {each["x"] for each in found} == {"a", "b", "c"}
    assert all(("y" in each) is (each["x"] != "c") for each in found)
    # One number for each choice; what does not exist lies outside the interval of what does.
    told = points([{"x": "b", "y": 1.5}, {"x": "c"}], space)
    assert told.tolist() == [[0, 1, 0, 0.5], [0, 0, 1, -1]]


def test_a_forest_predicts_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 3)).astype(np.float32), rng.random((60, 2))
    fitted = ExtraTreesRegressor(7, random_state=0).fit(x[:40], y[:40])
    assert Forest(fitted).predict(x) == pytest.approx(fitted.predict(x))


def test_a_world_of_trials_that_never_differ_answers_with_their_curves(
    recording: Recording,
) -> None:
    world = World(recording, 0)
    for kind, curve in CURVES.items():
        reports, objective = world.trial({"x": kind}, number=7)
        assert reports == pytest.approx(curve) and objective == pytest.approx(curve[-1])
    # The best is 1 and the median 4.
    regrets = [world.regret({"x": kind}) for kind in "abc"]
    assert regrets == pytest.approx([0, 1, 4 / 3], abs=1e-9)
    assert world.rank_correlation == pytest.approx(1)


# ---------------------------------------------------------------- searches


def test_without_a_pruner_a_budget_of_trials_is_so_many_whole_ones(recording: Recording) -> None:
    first, then = run(recording, NopPruner(), 2, 30)
    assert (first.n_trials, first.n_pruned) == (2, 0)
    assert then == Outcome(regret=pytest.approx(0, abs=1e-9), n_trials=30, n_pruned=0)


def test_trials_that_a_pruner_ends_make_room_for_others(recording: Recording) -> None:
    # All trials end after their first epoch: two trials' worth of three epochs are six.
    assert run(recording, ThresholdPruner(upper=0.0), 2) == [Outcome(None, 6, 6)]


# Rule: a trial that the Wilcoxon pruner ends counts as the mean of its folds, never as the best.
def test_a_trial_over_some_folds_alone_is_no_rival(recording: Recording) -> None:
    folds = Simulation(World(recording, 0), (1, 2, 3), RandomSampler(seed=0), EndsAtOnce())
    assert folds.run([2]) == [Outcome(None, 6, 6)]
    ended = [trial for trial in folds.study.trials if trial.state.is_finished()]
    assert {trial.state for trial in ended} == {TrialState.COMPLETE}
    firsts = {kind: curve[0] for kind, curve in CURVES.items()}
    for trial in ended:
        assert trial.values == pytest.approx([firsts[trial.params["x"]]])


# Rule: the first trial has the given parameters, and what they lack is suggested.
def test_a_search_begins_with_the_given_point(recording: Recording) -> None:
    world = World(recording, 0)
    for kind in CURVES:
        given = {"x": kind}
        search = Simulation(world, (1, 2, 3), RandomSampler(seed=0), NopPruner(), given)
        search.run([2])
        assert search.study.trials[0].params == given


# ---------------------------------------------------------------- contestants and tables


def test_the_configured_values_are_those_of_the_recorded_study() -> None:
    found = {each.name: beginning(DEFAULT, each) for each in every(searched=True)}
    assert found["cnn_digits_cosine"] == {
        **{"optimizer": "adam", "optimizer.lr": 0.001, "model.dropout": 0.0},
        **{"model.filters_1": 32, "model.filters_2": 64},
        **{"model.neurons_1": 128, "model.neurons_2": 64},
    }
    # 0, which the logarithmic range of the weight decay does not have, is not tried.
    assert "optimizer.weight_decay" not in found["digits_fc"]
    without = next(each for each in CONTESTANTS if not each.begins)
    assert beginning(without, every(searched=True)[0]) == {}


# Of three points, a third each, the configured one is the best.
def test_the_standing_of_the_configured_values(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayed_beginning, "configured", lambda of: {"x": "a"})
    regret, worse = replayed_beginning.standing(World(recording, 0))
    params = random_params(recording, replayed_beginning.N_RANDOM)
    assert regret == pytest.approx(0, abs=1e-9)
    assert worse == pytest.approx(100 * np.mean([each["x"] != "a" for each in params]))


# Rule: fold by fold only those are compared that judge folds.
def test_a_recording_of_folds_has_contestants_of_its_own() -> None:
    recordings = {each.by_folds: each for each in every(searched=True)}
    assert {c.group for c in meeting(recordings[True], CONTESTANTS)} == {"folds"}
    assert {c.group for c in meeting(recordings[False], CONTESTANTS)}.isdisjoint({"folds"})


def test_the_default_has_the_settings_of_the_configuration() -> None:
    inner = sampler(DEFAULT, 0).inner  # type: ignore[attr-defined]
    assert (inner._n_startup_trials, inner._multivariate, inner._constant_liar) == (10, True, True)
    mlp = next(each for each in every(searched=True) if each.name == "mlp_two_layers")
    # Its experiment's own: late_median.
    assert (pruner(DEFAULT, mlp)._n_startup_trials, pruner(DEFAULT, mlp)._n_warmup_steps) == (
        10,
        199,
    )  # type: ignore[attr-defined]


def test_those_that_are_chosen_come_with_whom_they_are_compared() -> None:
    names = [each.name for each in chosen(["startup", "pruners of random"])]
    assert names[:4] == ["the defaults", "random", "5 start-up trials", "20 start-up trials"]
    assert [each.name for each in chosen(["pruners"], ["none"])] == ["the defaults", "none"]
    assert [each.name for each in chosen(["pruners of random"], ["random, none"])] == [
        "random",
        "random, none",
    ]


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda contestant: contestant.name)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_contestant_can_search(contestant, recording: Recording) -> None:
    study = optuna.create_study(
        sampler=sampler(contestant, 0), pruner=pruner(contestant, recording)
    )
    for value in range(12):
        trial = study.ask()
        assert suggest(trial, recording)["x"] in CURVES
        trial.report(value, 0)
        assert trial.should_prune() in (True, False)
        study.tell(trial, value)


def test_a_table_compares_on_the_worlds_that_both_have_met(tmp_path: Path) -> None:
    recording = every(searched=True)[0]
    other = CONTESTANTS[1]
    results = Results(tmp_path / "results.jsonl")
    for seed, (ours, theirs) in enumerate([(0.1, 0.3), (0.2, 0.4), (0.3, 0.5), (0.9, None)]):
        results.add(key(recording, DEFAULT), "", seed, {12: Outcome(ours, 12, 0)})
        if theirs is not None:
            results.add(key(recording, other), "", seed, {12: Outcome(theirs, 12, 0)})
    again = Results(tmp_path / "results.jsonl")
    assert again.has(key(recording, other), 2, 12) and not again.has(key(recording, other), 2, 40)
    lines = table(again, recording, [DEFAULT, other], [12, 40]).splitlines()
    assert lines[2].startswith("| the defaults | 0.375 ± ")
    assert lines[3] == f"| {other.name} | 0.400 (+0.200 ± 0.000 worse) | - |"


# Rule: on a recording of folds all are compared with the search that trains all of them.
def test_a_table_of_folds_has_a_base_of_its_own(tmp_path: Path) -> None:
    recording = next(each for each in every(searched=True) if each.by_folds)
    results = Results(tmp_path / "results.jsonl")
    base, other = meeting(recording, CONTESTANTS)[:2]
    for seed, (ours, theirs) in enumerate([(0.25, 0.5), (0.5, 0.75)]):
        results.add(key(recording, base), "", seed, {12: Outcome(ours, 12, 0)})
        results.add(key(recording, other), "", seed, {12: Outcome(theirs, 12, 0)})
    lines = table(results, recording, [base, other], [12]).splitlines()
    assert lines[2].startswith(f"| {base.name} | 0.375 ± ")
    assert lines[3] == f"| {other.name} | 0.625 (+0.250 ± 0.000 worse) |"


def test_an_interval_of_few_searches_is_wide() -> None:
    # The standard error is 1 in both; Student's t for one and for 399 degrees of freedom.
    assert interval(np.array([0.0, 2.0])) == pytest.approx(12.706, abs=1e-3)
    many = np.tile([-20.0, 20.0], 200) * (399 / 400) ** 0.5
    assert interval(many) == pytest.approx(1.966, abs=1e-3)
