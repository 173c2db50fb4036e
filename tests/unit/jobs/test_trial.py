"""A trial over its folds, without training: what is reported, told, taken over and seeded."""

import json
from pathlib import Path

import optuna
import pytest
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from lightning_hpo.callbacks.reporting import PruningCallback
from lightning_hpo.jobs import trial as trial_module
from lightning_hpo.jobs.trial import JobContext, run_trial
from lightning_hpo.protocol.messages import FitResult
from lightning_hpo.protocol.seeds import derive_seed

EPOCHS = 2
PRUNERS = {
    "WilcoxonPruner": {"p_threshold": 0.3},
    "MedianPruner": {"n_startup_trials": 1},
    "SuccessiveHalvingPruner": {"min_resource": 1, "reduction_factor": 2},
}


def config(pruner: str, *, n_splits: int = 4, number: int = 0, max_epochs: int = EPOCHS):
    return OmegaConf.create(
        {
            "seed": 7,
            "monitor": "val/loss",
            "mode": "min",
            "study": {"trial_number": number, "objectives": {}},
            "trainer": {"max_epochs": max_epochs},
            "pruner": {"_target_": f"optuna.pruners.{pruner}", **PRUNERS[pruner]},
            "cv": {"search": "kfold", "n_splits": n_splits, "val_fraction": 0.1}
            | {"stratified": True},
        }
    )


@pytest.fixture
def fits(monkeypatch) -> list[tuple[int, int]]:
    """Instead of training: a fold's epochs report ``values[fold]``; (fold, seed) of each fit."""
    done: list[tuple[int, int]] = []

    def fit(cfg, split, seed, context, observers=()):
        context.folder.mkdir(parents=True, exist_ok=True)
        done.append((split.fold, seed))
        values = cfg.study["values"][split.fold]
        for reporter in observers:
            assert isinstance(reporter, PruningCallback)
            for epoch, value in enumerate(values):
                reporter.trial.report(value, reporter.first_step + epoch)
                if reporter.trial.should_prune():
                    raise optuna.TrialPruned
        best, last = min(values), {"val/loss": values[-1]}
        return FitResult(best, values.index(best), len(values), {"a": 0.1}, 1.0, last=last)

    monkeypatch.setattr(trial_module, "fit", fit)
    return done


def study_for(cfg: DictConfig) -> optuna.Study:
    target = getattr(optuna.pruners, cfg.pruner._target_.rpartition(".")[2])
    options = {k: v for k, v in cfg.pruner.items() if k != "_target_"}
    return optuna.create_study(pruner=target(**options))


def run(study: optuna.Study, cfg: DictConfig, folder: Path, values: list[list[float]], **asked):
    """Run a trial as a job does, in a folder with its configuration, and tell the study."""
    live = study.ask(**asked)
    cfg = OmegaConf.merge(cfg, {"study": {"trial_number": live.number, "values": values}})
    of_trial = folder / str(live.number)
    of_trial.mkdir()
    OmegaConf.save(cfg, of_trial / "config.yaml")
    try:
        result = run_trial(cfg, JobContext(of_trial), live)
    except optuna.TrialPruned:
        study.tell(live, state=TrialState.PRUNED)
        return None
    except KeyboardInterrupt:
        study.tell(live, state=TrialState.FAIL)
        return None
    study.tell(live, result.value)
    return result


def test_the_wilcoxon_pruner_gets_each_fold_and_the_study_the_mean_so_far(fits, tmp_path):
    cfg = config("WilcoxonPruner")
    study = study_for(cfg)
    best = run(study, cfg, tmp_path, [[0.5, 0.125], [0.25], [0.375], [0.5]])
    assert (best.value, best.stopped_after_fold) == (0.3125, None)
    # Two folds, both worse: p = 1/4 < 0.3. The first alone can never be enough.
    worse = run(study, cfg, tmp_path, [[0.5], [0.75], [0.0], [0.0]])
    assert (worse.value, worse.stopped_after_fold) == (0.625, 1)
    assert [fold for fold, _ in fits] == [0, 1, 2, 3, 0, 1]
    told = study.trials[1]
    assert (told.state, told.value) == (TrialState.COMPLETE, 0.625)
    assert told.intermediate_values == {0: 0.5, 1: 0.75}
    assert told.user_attrs["stopped_after_fold"] == 1


def test_a_trial_that_the_wilcoxon_pruner_stops_is_never_the_best(fits, tmp_path):
    cfg = config("WilcoxonPruner")
    study = study_for(cfg)
    run(study, cfg, tmp_path, [[0.5], [0.5], [9.0], [9.0]])
    # Worse in both folds, but its mean so far is better than the best trial's: it goes on.
    further = run(study, cfg, tmp_path, [[0.6], [0.6], [9.1], [9.1]])
    assert further.stopped_after_fold is None
    assert study.best_trial.number == 0


def test_a_trial_that_has_all_its_folds_is_not_stopped_by_the_last(fits, tmp_path):
    cfg = config("WilcoxonPruner", n_splits=2)
    study = study_for(cfg)
    run(study, cfg, tmp_path, [[0.1], [0.1]])
    assert run(study, cfg, tmp_path, [[0.5], [0.5]]).stopped_after_fold is None
    assert "stopped_after_fold" not in study.trials[1].user_attrs


def test_other_pruners_see_epochs_count_on_and_prune_a_later_fold(fits, tmp_path):
    cfg = config("MedianPruner", n_splits=2)
    study = study_for(cfg)
    run(study, cfg, tmp_path, [[0.5, 0.4], [0.5, 0.4]])
    assert run(study, cfg, tmp_path, [[0.2, 0.1], [0.6, 0.6]]) is None
    assert study.trials[0].intermediate_values == {0: 0.5, 1: 0.4, 2: 0.5, 3: 0.4}
    assert study.trials[1].state is TrialState.PRUNED
    assert study.trials[1].intermediate_values == {0: 0.2, 1: 0.1, 2: 0.6}


def test_the_mean_is_over_the_best_values_of_all_folds(fits, tmp_path):
    cfg = config("MedianPruner", n_splits=2)
    result = run(study_for(cfg), cfg, tmp_path, [[0.5, 0.25], [0.5, 0.75]])
    assert result.value == 0.375
    assert float(result) == 0.375


# Rule: under a schedule a trial is its folds' last epochs, also to the Wilcoxon pruner, and also of
# folds that it takes over; what other pruners see of each epoch stays.
@pytest.mark.parametrize("pruner", ["MedianPruner", "WilcoxonPruner"])
def test_under_a_schedule_the_last_epoch_counts(fits, tmp_path, monkeypatch, pruner):
    cfg = config(pruner, n_splits=2)
    cfg.scheduler = {"_target_": "a.schedule"}
    values, study = [[0.25, 0.5], [0.25, 0.75]], study_for(cfg)
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        run(study, cfg, tmp_path, values)
    study.enqueue_trial({}, user_attrs={"retry_of": 0})
    result = run(study, cfg, tmp_path, values)
    assert (result.value, [fit.value for fit in result.fits]) == (0.625, [0.25, 0.25])
    epochs = {0: 0.25, 1: 0.5, 2: 0.25, 3: 0.75}
    assert study.trials[1].intermediate_values == (
        {0: 0.5, 1: 0.75} if pruner == "WilcoxonPruner" else epochs
    )
    assert study.trials[1].user_attrs["continues"] == {"0": 0}
    left = [json.loads((tmp_path / f"1/fold_{k}/result.json").read_text()) for k in range(2)]
    assert [fold["objective"] for fold in left] == [0.5, 0.75]


VALUES = [[0.5, 0.25], [0.5, 0.75], [0.125, 0.25]]


def killed_after(monkeypatch, n_folds: int) -> None:
    """The next trial is killed when it begins fold ``n_folds``."""
    honest = trial_module.fit

    def fit(cfg, split, *arguments):
        if split.fold == n_folds:
            raise KeyboardInterrupt
        return honest(cfg, split, *arguments)

    monkeypatch.setattr(trial_module, "fit", fit)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_retry_goes_on_at_the_first_missing_fold(fits, tmp_path, monkeypatch, pruner):
    cfg = config(pruner, n_splits=3)
    study = study_for(cfg)
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        run(study, cfg, tmp_path, VALUES)
    with monkeypatch.context() as patched:
        killed_after(patched, 2)
        study.enqueue_trial({}, user_attrs={"retry_of": 0})
        run(study, cfg, tmp_path, VALUES)
    study.enqueue_trial({}, user_attrs={"retry_of": 1})
    result = run(study, cfg, tmp_path, VALUES)
    # Each fold once, although three trials worked on them, with the seeds of the original.
    assert fits == [(fold, derive_seed(7, "trial", 0, fold)) for fold in range(3)]
    undisturbed = study_for(cfg)
    (tmp_path / "undisturbed").mkdir()
    assert run(undisturbed, cfg, tmp_path / "undisturbed", VALUES) == result
    last, expected = study.trials[2], undisturbed.trials[0]
    assert last.intermediate_values == expected.intermediate_values
    rungs = {k: v for k, v in expected.system_attrs.items() if k.startswith("completed_rung")}
    assert rungs.items() <= last.system_attrs.items()
    assert study.trials[1].user_attrs["continues"] == {"0": 0}
    assert last.user_attrs["continues"] == {"0": 1, "1": 1}
    taken = json.loads((tmp_path / "2" / "fold_0" / "result.json").read_text())
    assert taken["taken_from_trial"] == 1


def test_a_predecessor_that_never_began_does_not_hide_the_one_before(fits, tmp_path, monkeypatch):
    cfg = config("MedianPruner", n_splits=3)
    study = study_for(cfg)
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        run(study, cfg, tmp_path, VALUES)
    study.enqueue_trial({}, user_attrs={"retry_of": 0})
    study.tell(study.ask(), state=TrialState.FAIL)
    study.enqueue_trial({}, user_attrs={"retry_of": 1})
    run(study, cfg, tmp_path, VALUES)
    assert [fold for fold, _ in fits] == [0, 1, 2]
    assert study.trials[2].user_attrs["continues"] == {"0": 0}


def test_folds_of_another_configuration_are_not_taken_over(fits, tmp_path, monkeypatch):
    cfg = config("MedianPruner", n_splits=3)
    study = study_for(cfg)
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        run(study, cfg, tmp_path, VALUES)
    study.enqueue_trial({}, user_attrs={"retry_of": 0})
    run(study, config("MedianPruner", n_splits=3, max_epochs=5), tmp_path, VALUES)
    assert [fold for fold, _ in fits] == [0, 0, 1, 2]
    assert "continues" not in study.trials[1].user_attrs


def test_a_fold_whose_result_was_cut_off_is_fitted_again(fits, tmp_path, monkeypatch):
    cfg = config("MedianPruner", n_splits=3)
    study = study_for(cfg)
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        run(study, cfg, tmp_path, VALUES)
    whole = tmp_path / "0" / "fold_0" / "result.json"
    whole.rename(whole.with_name("result.json.part"))
    study.enqueue_trial({}, user_attrs={"retry_of": 0})
    run(study, cfg, tmp_path, VALUES)
    assert [fold for fold, _ in fits] == [0, 0, 1, 2]
