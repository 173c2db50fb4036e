"""Pruners over several folds: literal values, and the bare pruner as the oracle for one fold."""

import optuna
import pytest
from numpy.random import default_rng
from omegaconf import OmegaConf
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
    WilcoxonPruner,
)
from optuna.trial import TrialState

from lightning_hpo.errors import UserError
from lightning_hpo.strategies.pruning import AcrossFolds, WithinFold, make_pruner, over_folds

EPOCHS = 4

# A trial's folds, each a list of values by epoch; a shorter list was stopped early.
Folds = list[list[float]]


def run(study: optuna.Study, folds: Folds) -> tuple[int, int] | None:
    """Report the folds in a new trial; (fold, epoch) at which it was pruned."""
    trial = study.ask()
    for fold, values in enumerate(folds):
        for epoch, value in enumerate(values):
            trial.report(value, fold * EPOCHS + epoch)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return fold, epoch
    study.tell(trial, folds[-1][-1])
    return None


def decision(pruner: BasePruner, earlier: list[Folds], folds: Folds, **study: str):
    created = optuna.create_study(pruner=NopPruner(), **study)
    for trial in earlier:
        run(created, trial)
    created.pruner = pruner
    return run(created, folds)


def median(**options: int) -> MedianPruner:
    return MedianPruner(n_startup_trials=1, **options)


GOOD = [[0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]]
# Its first fold is the best of all, its second one learns nothing.
SHIELDED = [[0.3, 0.2, 0.1, 0.05], [0.9, 0.9, 0.9, 0.9]]


@pytest.mark.parametrize(
    ("pruner", "at"),
    [
        (median(), (1, 0)),
        # Warm-up counts within the fold.
        (median(n_warmup_steps=2), (1, 2)),
        (median(n_warmup_steps=1, interval_steps=2), (1, 1)),
        (PercentilePruner(25.0, n_startup_trials=1, n_warmup_steps=1), (1, 1)),
    ],
)
def test_a_good_first_fold_does_not_shield_a_bad_second_one(pruner, at):
    assert decision(pruner, [GOOD], SHIELDED) is None
    assert decision(over_folds(pruner, n_folds=2, steps_per_fold=EPOCHS), [GOOD], SHIELDED) == at


def test_the_direction_is_the_studys():
    def upside_down(folds: Folds) -> Folds:
        return [[1 - value for value in values] for values in folds]

    wrapped = WithinFold(median(), steps_per_fold=EPOCHS)
    flipped = [upside_down(GOOD)], upside_down(SHIELDED)
    assert decision(wrapped, *flipped, direction="maximize") == (1, 0)
    assert decision(wrapped, [GOOD], GOOD) is None


def test_patience_is_counted_within_the_fold():
    # Without the wrapper the step from fold 0 to fold 1 looks like three epochs without a gain.
    pruner = PatientPruner(None, patience=1)
    improving = [[0.4, 0.3, 0.2, 0.1], [0.5, 0.4, 0.3, 0.2]]
    stuck = [[0.4, 0.3, 0.2, 0.1], [0.5, 0.6, 0.6, 0.6]]
    wrapped = WithinFold(pruner, steps_per_fold=EPOCHS)
    assert decision(pruner, [], improving) == (1, 1)
    assert decision(wrapped, [], improving) is None
    # Patience 1: the values of epochs 1 and 2 are no better than epoch 0's.
    assert decision(wrapped, [], stuck) == (1, 2)


def test_a_threshold_is_shut_in_the_warm_up_of_each_fold():
    pruner = ThresholdPruner(upper=1.0, n_warmup_steps=1)
    usual = [[2.0, 0.5, 0.5, 0.5], [2.0, 0.5, 0.5, 0.5]]
    diverging = [[2.0, 0.5, 0.5, 0.5], [2.0, 1.5, 0.5, 0.5]]
    wrapped = WithinFold(pruner, steps_per_fold=EPOCHS)
    assert decision(pruner, [], usual) == (1, 0)
    assert decision(wrapped, [], usual) is None
    assert decision(wrapped, [], diverging) == (1, 1)


def test_a_fold_that_ended_early_is_no_standard_for_the_steps_it_did_not_reach():
    wrapped = WithinFold(median(), steps_per_fold=EPOCHS)
    short = [[0.1, 0.1], [0.1, 0.1]]
    # Epochs 2 and 3 have no other value to be compared with, in either fold.
    assert decision(wrapped, [short], [[0.1, 0.1, 0.9, 0.9], [0.1, 0.1, 0.9, 0.9]]) is None
    assert decision(wrapped, [short], [[0.1, 0.1], [0.9, 0.9]]) == (1, 0)


RUNGS = {
    # Rungs at steps 1 and 2 of fold 0, and at step 4: the first epoch of fold 1.
    "successive halving": SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    # With max_resource = min_resource there is one bracket, which has the same rungs.
    "hyperband": HyperbandPruner(min_resource=1, max_resource=1, reduction_factor=2),
}


@pytest.mark.parametrize("pruner", RUNGS.values(), ids=RUNGS)
def test_rungs_lie_on_the_epochs_of_all_folds_and_judge_the_value_there(pruner):
    wrapped = over_folds(pruner, n_folds=2, steps_per_fold=EPOCHS)
    assert isinstance(wrapped, AcrossFolds)
    study = optuna.create_study(pruner=wrapped)
    # The second trial passes the rungs of fold 0 as the best, and misses the one in fold 1.
    assert run(study, GOOD) is None
    assert run(study, SHIELDED) == (1, 0)
    assert study.trials[1].system_attrs.keys() >= {"completed_rung_2"}


def test_rungs_behind_the_end_of_a_fold_get_its_last_value():
    pruner = SuccessiveHalvingPruner(min_resource=3, reduction_factor=2)

    def rungs(wrapped: BasePruner) -> dict[str, float]:
        study = optuna.create_study(pruner=wrapped)
        # The first fold ended after epoch 1, before the rung at step 3; the next is at step 6.
        assert run(study, [[0.3, 0.2], [0.9, 0.8, 0.7, 0.6]]) is None
        return study.trials[0].system_attrs

    assert rungs(pruner) == {"completed_rung_0": 0.9, "completed_rung_1": 0.7}
    wrapped = AcrossFolds(pruner, steps_per_fold=EPOCHS)
    assert rungs(wrapped) == {"completed_rung_0": 0.2, "completed_rung_1": 0.7}


def test_a_trial_is_pruned_for_the_end_of_its_fold_not_for_the_start_of_the_next():
    def study_with_one_trial() -> optuna.Study:
        pruner = SuccessiveHalvingPruner(min_resource=3, reduction_factor=2)
        study = optuna.create_study(pruner=AcrossFolds(pruner, steps_per_fold=EPOCHS))
        run(study, [[0.4, 0.3, 0.2, 0.2], [0.4, 0.3, 0.2, 0.2]])
        return study

    converged_early = [[0.2, 0.1], [0.9, 0.1, 0.1, 0.1]]
    assert run(study_with_one_trial(), converged_early) is None
    stopped_hopeless = [[0.9, 0.9], [0.1, 0.1, 0.1, 0.1]]
    assert run(study_with_one_trial(), stopped_hopeless) == (1, 0)


PRUNERS = {
    "median": lambda: MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    "percentile": lambda: PercentilePruner(25.0, n_startup_trials=2, interval_steps=2),
    "successive halving": lambda: SuccessiveHalvingPruner(reduction_factor=2),
    "hyperband": lambda: HyperbandPruner(max_resource=8, reduction_factor=2),
    "hyperband, auto": lambda: HyperbandPruner(reduction_factor=2),
    "threshold": lambda: ThresholdPruner(upper=0.9, n_warmup_steps=1, interval_steps=3),
    "patient": lambda: PatientPruner(median(), patience=1, min_delta=0.05),
}


@pytest.mark.parametrize("wrap", [WithinFold, AcrossFolds])
@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("seed", range(5))
def test_with_one_fold_the_wrapper_decides_exactly_as_the_bare_pruner(wrap, name, seed):
    def outcome(pruner: BasePruner) -> list[tuple[TrialState, dict[int, float]]]:
        # Hyperband's brackets derive from the study's name and the trial's number.
        study = optuna.create_study(study_name="same", pruner=pruner)
        random = default_rng(seed)
        for _ in range(12):
            trial = study.ask()
            # Steps with gaps, as when not every epoch validates.
            for step in sorted(random.choice(8, size=6, replace=False).tolist()):
                trial.report(random.random(), step)
                if trial.should_prune():
                    study.tell(trial, state=TrialState.PRUNED)
                    break
            else:
                study.tell(trial, random.random())
        return [(t.state, t.intermediate_values) for t in study.trials]

    bare = outcome(PRUNERS[name]())
    assert bare == outcome(wrap(PRUNERS[name](), steps_per_fold=8))
    assert {state for state, _ in bare} >= {TrialState.PRUNED}


@pytest.mark.parametrize(
    ("pruner", "n_folds", "kind"),
    [
        (median(), 1, MedianPruner),
        (median(), 2, WithinFold),
        (ThresholdPruner(upper=1.0), 2, WithinFold),
        (PatientPruner(median(), 1), 2, WithinFold),
        (PatientPruner(None, 1), 2, WithinFold),
        (PatientPruner(HyperbandPruner(), 1), 2, AcrossFolds),
        (WithinFold(median(), steps_per_fold=2), 2, WithinFold),
        (NopPruner(), 2, NopPruner),
        (WilcoxonPruner(), 2, WilcoxonPruner),
    ],
)
def test_only_pruners_that_need_help_over_folds_get_it(pruner, n_folds, kind):
    wrapped = over_folds(pruner, n_folds=n_folds, steps_per_fold=2)
    assert type(wrapped) is kind
    assert over_folds(wrapped, n_folds=n_folds, steps_per_fold=2) is wrapped


def test_without_a_pruner_nothing_is_pruned():
    assert isinstance(make_pruner(None, monitor="val/loss"), NopPruner)


def test_optunas_default_is_made_where_none_is_named():
    assert type(make_pruner("auto", monitor="val/loss")) is MedianPruner


def test_a_pruner_is_made_as_its_node_says():
    node = OmegaConf.create({"_target_": "optuna.pruners.PercentilePruner", "percentile": 40.0})
    made = make_pruner(node, monitor="val/loss")
    assert (type(made).__name__, made._percentile) == ("PercentilePruner", 40.0)


def test_a_bound_without_a_value_is_named_with_its_unit():
    node = OmegaConf.create({"_target_": "optuna.pruners.ThresholdPruner", "upper": "???"})
    with pytest.raises(UserError, match=r"pruner\.upper must have a value.*units of val/loss"):
        make_pruner(node, monitor="val/loss")
