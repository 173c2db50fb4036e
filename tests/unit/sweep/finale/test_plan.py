"""The final job from the controller's side: what is done stays done, the rest is run."""

import json

import pytest
from writing_executor import Told, WritingExecutor, finale

from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.launchers.job import SlotDied, failed
from lightning_hpo.protocol.parts import PARTS, Fit, Part


def test_folds_share_the_slots_and_the_refit_gets_all_cores(final_dir):
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, "x=1", "study.dir=elsewhere").run()
    assert executor.ran == [
        ("fold_0", "fold", "0", None),
        ("fold_1", "fold", "1", None),
        ("refit", "refit", "null", 8),
    ]


# Rule: several refits share the slots, and each is told its number; the first is "refit" itself.
def test_several_refits_run_beside_each_other(final_dir):
    executor, said = WritingExecutor(final_dir), []
    finale(final_dir, executor, n_splits=0, n_refits=3, say=said.append).run()
    assert executor.ran == [
        ("refit", "refit", "null", None),
        ("refit_1", "refit", "1", None),
        ("refit_2", "refit", "2", None),
        ("ensemble", "ensemble", "null", None),
    ]
    assert said == [
        "refit on all training data with 3 seeds, test, figures",
        "the 3 networks as one model",
    ]


# Rule: more refits asked for later are added to those that are done.
def test_refits_that_are_done_stay_done(final_dir):
    finale(final_dir, WritingExecutor(final_dir), n_refits=2).run()
    assert finale(final_dir, None, n_refits=2).is_done()
    more = finale(final_dir, executor := WritingExecutor(final_dir), n_refits=3)
    assert not more.is_done()
    more.run()
    assert executor.ran == [("refit_2", "refit", "2", 8), ("ensemble", "ensemble", "null", None)]


def test_every_override_reaches_the_jobs(final_dir):
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, "x=1", "study.dir=elsewhere").run()
    assert {overrides[:2] for overrides in executor.told} == {("x=1", "study.dir=elsewhere")}


def test_without_cross_validation_only_the_refit_runs(final_dir):
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, n_splits=0).run()
    assert [name for name, *_ in executor.ran] == ["refit"]


def test_the_fit_without_early_stopping_runs_beside_the_folds(final_dir):
    executor, said = WritingExecutor(final_dir), []
    finale(final_dir, executor, holdout=True, say=said.append).run()
    assert executor.ran == [
        ("fold_0", "fold", "0", None),
        ("fold_1", "fold", "1", None),
        ("holdout", "holdout", "null", None),
        ("refit", "refit", "null", 8),
    ]
    assert said[0] == (
        "cross-validation of the best parameters, 2 folds, and a fit without early stopping"
    )
    (final_dir / "holdout" / "result.json").unlink()
    executor, said = WritingExecutor(final_dir), []
    finale(final_dir, executor, n_splits=0, holdout=True, say=said.append).run()
    assert [name for name, *_ in executor.ran] == ["holdout", "refit"]
    assert said[0] == "a fit without early stopping"


# Rule: no slot waits for the last fold. While it runs, the other fits trials again, and so on until
# nothing runs: then the one refit has all cores.
def test_trials_are_fitted_again_where_a_slot_is_free(final_dir):
    executor, said = WritingExecutor(final_dir), []
    shown = {"best": 4, "median": 2, "pruned": 7}
    finale(final_dir, executor, n_splits=3, showcase=shown, say=said.append).run()
    assert [(name, threads) for name, _, _, threads in executor.ran] == [
        ("fold_0", None),
        ("fold_1", None),
        ("fold_2", None),
        ("showcase_best", None),
        ("showcase_median", None),
        ("showcase_pruned", None),
        ("refit", 8),
        ("showcase", None),
    ]
    assert said == [
        "cross-validation of the best parameters, 3 folds",
        "trials 4 (best), 2 (median), 7 (pruned), to be seen side by side",
        "refit on all training data, test, figures",
        "figure of trials 4 (best), 2 (median), 7 (pruned)",
    ]


# Rule: refits that share the slots wait for the folds, which say how long they train, and come
# before the shown trials.
def test_several_refits_start_when_all_folds_have_ended(final_dir):
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, n_splits=3, n_refits=2, showcase={"best": 4, "median": 2}).run()
    assert [name for name, *_ in executor.ran] == [
        "fold_0",
        "fold_1",
        "fold_2",
        "showcase_best",
        "refit",
        "refit_1",
        "showcase_median",
        "ensemble",
        "showcase",
    ]


# Rule: shown trials are told their numbers and drawn by a job of their own; what is done stays
# done, also for a final job that was done without them.
def test_trials_are_shown_side_by_side(final_dir):
    finale(final_dir, WritingExecutor(final_dir), n_splits=0).run()
    shown = {"n_splits": 0, "showcase": {"best": 4, "pruned": 7}}
    executor, said = WritingExecutor(final_dir), []
    again = finale(final_dir, executor, **shown, say=said.append)
    assert not again.is_done()
    again.run()
    assert executor.ran == [
        ("showcase_best", "showcase", "null", None),
        ("showcase_pruned", "showcase", "null", None),
        ("showcase", "showcase", "null", None),
    ]
    assert said == [
        "trials 4 (best), 7 (pruned), to be seen side by side",
        "figure of trials 4 (best), 7 (pruned)",
    ]
    assert [o[-2] for o in executor.told[:2]] == ["study.trial_number=4", "study.trial_number=7"]
    (final_dir / "showcase" / "result.json").unlink()
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, **shown).run()
    assert [name for name, *_ in executor.ran] == ["showcase"]
    assert finale(final_dir, None, **shown).is_done()


# Rule: behind an interrupt further trials may have made another one the median.
def test_a_role_that_was_another_trials_is_fitted_again(final_dir):
    finale(final_dir, WritingExecutor(final_dir), showcase={"best": 4, "median": 2}).run()
    (final_dir / "showcase" / "result.json").unlink()
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, showcase={"best": 4, "median": 9}).run()
    assert [name for name, *_ in executor.ran] == ["showcase_median", "showcase"]


# Rule: a shown trial that cannot be fitted takes its figure with it, and nothing else; that it
# failed is said in the end, so that the results are written.
def test_a_shown_trial_that_fails_leaves_the_rest_alone(final_dir):
    mistake = failed(UserError("data.train_csv must be a file, got a.csv."))
    executor = WritingExecutor(final_dir, {"showcase_best": mistake})
    shown = {"best": 4, "median": 2}
    with pytest.raises(StudyFailed, match=r"data\.train_csv must be a file"):
        finale(final_dir, executor, n_splits=3, showcase=shown).run()
    assert [name for name, *_ in executor.ran] == [
        "fold_0",
        "fold_1",
        "fold_2",
        "showcase_best",
        "showcase_median",
        "refit",
    ]
    finale(final_dir, executor := WritingExecutor(final_dir), n_splits=3, showcase=shown).run()
    assert [name for name, *_ in executor.ran] == ["showcase_best", "showcase"]


def test_other_epochs_of_the_refit_are_another_final_job(final_dir):
    finale(final_dir, WritingExecutor(final_dir), "x=1", "study.final_epochs=5").run()
    assert finale(final_dir, None, "x=1", "study.final_epochs=5").is_done()
    assert not finale(final_dir, None, "x=1", "study.final_epochs=9").is_done()


def test_an_interrupted_final_job_goes_on_at_the_missing_fold(final_dir):
    finale(final_dir, WritingExecutor(final_dir)).run()
    (final_dir / "fold_1" / "result.json").unlink()
    (final_dir / "refit" / "result.json").unlink()
    executor = WritingExecutor(final_dir)
    assert not finale(final_dir, executor).is_done()
    finale(final_dir, executor).run()
    assert [name for name, *_ in executor.ran] == ["fold_1", "refit"]


def test_bookkeeping_does_not_repeat_a_final_job_and_other_parameters_do(final_dir):
    finale(final_dir, WritingExecutor(final_dir), "x=1", "study.n_trials=4").run()
    executor = WritingExecutor(final_dir)
    assert finale(final_dir, executor, "x=1", "study.n_trials=8").is_done()
    assert not finale(final_dir, executor, "x=2").is_done()


def test_the_final_job_of_earlier_parameters_is_moved_aside(final_dir):
    for x in (1, 2, 3):
        finale(final_dir, WritingExecutor(final_dir), f"x={x}").run()
    kept = [final_dir.with_name(name) for name in ("final_1", "final_2", "final")]
    assert [json.loads((f / "overrides.json").read_text()) for f in kept] == [
        ["x=1"],
        ["x=2"],
        ["x=3"],
    ]


def test_a_fold_whose_process_died_is_tried_once_more(final_dir):
    executor = WritingExecutor(final_dir, {"fold_0": SlotDied("killed")})
    finale(final_dir, executor).run()
    assert [name for name, *_ in executor.ran] == ["fold_0", "fold_1", "fold_0", "refit"]


# Rule: it is tried before what has not been tried yet: a launcher that runs in batches then runs it
# alone.
def test_a_fold_is_tried_once_more_before_others_begin(final_dir):
    executor = WritingExecutor(final_dir, {"fold_0": SlotDied("killed")})
    finale(final_dir, executor, n_splits=4).run()
    assert [name for name, *_ in executor.ran] == [
        "fold_0",
        "fold_1",
        "fold_0",
        "fold_2",
        "fold_3",
        "refit",
    ]


# Rule: the observer is told of each try of a fit; what an interrupted fit told of itself is gone.
def test_an_observer_is_told_of_each_fit(final_dir):
    executor = WritingExecutor(final_dir, {"fold_0": SlotDied("killed")})
    executor.n_slots, executor.next_slot = 1, 0
    told = Told()
    again = finale(final_dir, executor, n_splits=1, observer=told)
    (final_dir / "fold_0").mkdir(parents=True)
    (final_dir / "fold_0" / "progress.json").touch()
    (final_dir / "overrides.json").write_text('["x=1"]')
    again.run()
    started = ("started", "fold_0", 0, "fold_0", False)
    assert told.lines == [
        started,
        ("ended", "fold_0", None),
        started,
        ("ended", "fold_0", {}),
        ("started", "refit", 0, "refit", False),
        ("ended", "refit", {}),
    ]


def test_a_failing_fit_ends_the_final_job_with_its_reason(final_dir):
    executor = WritingExecutor(final_dir, {"fold_1": failed(ZeroDivisionError("by zero"))})
    with pytest.raises(StudyFailed, match=r"final/fold_1 failed: ZeroDivisionError: by zero"):
        finale(final_dir, executor).run()


def test_a_users_mistake_keeps_its_words(final_dir):
    mistake = failed(UserError("dropout must lie in [0, 1), got dropout=2."))
    with pytest.raises(UserError, match="dropout must lie"):
        finale(final_dir, WritingExecutor(final_dir, {"refit": mistake})).run()


# Rule: what is damaged is made again, and nothing else.
@pytest.mark.parametrize("content", ["", '{"number"', "\x00\x01", "[]"])
def test_a_damaged_result_is_made_again(final_dir, content):
    finale(final_dir, WritingExecutor(final_dir)).run()
    (final_dir / "fold_1" / "result.json").write_text(content)
    again = finale(final_dir, executor := WritingExecutor(final_dir), n_splits=2)
    again.run()
    # The refit, which the folds tell how long to train, follows.
    assert [name for name, *_ in executor.ran] == ["fold_1", "refit"]


def test_a_truncated_checkpoint_is_made_again(final_dir):
    finale(final_dir, WritingExecutor(final_dir)).run()
    checkpoint = final_dir / "model.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    again = finale(final_dir, executor := WritingExecutor(final_dir))
    assert not again.is_done()
    again.run()
    assert [name for name, *_ in executor.ran] == ["refit"]


def test_a_final_job_that_does_not_say_whose_it_is_is_kept_aside(final_dir):
    finale(final_dir, WritingExecutor(final_dir)).run()
    (final_dir / "overrides.json").write_text('["x=')
    finale(final_dir, executor := WritingExecutor(final_dir)).run()
    assert len(executor.ran) == 3
    assert (final_dir.with_name("final_1") / "refit" / "result.json").is_file()


# Rule: a part that is declared is planned: run in its place, waited for, done again with what it
# rests on.
def test_a_declared_part_is_planned(final_dir, monkeypatch):
    distilled = Part(
        name="distilled",
        job="distil",
        fits=lambda asked: [Fit("distilled")],
        says=lambda asked: "a network that the ensemble teaches",
        after=("ensemble",),
    )
    monkeypatch.setattr("lightning_hpo.sweep.finale.plan.PARTS", (*PARTS, distilled))
    executor, said = WritingExecutor(final_dir), []
    finale(final_dir, executor, n_splits=2, n_refits=2, say=said.append).run()
    names = [name for name, *_ in executor.ran]
    assert names == ["fold_0", "fold_1", "refit", "refit_1", "ensemble", "distilled"]
    assert said[-1] == "a network that the ensemble teaches"
    assert finale(final_dir, None, n_splits=2, n_refits=2).is_done()
    (final_dir / "refit_1" / "result.json").unlink()
    assert not finale(final_dir, None, n_splits=2, n_refits=2).is_done()
    executor = WritingExecutor(final_dir)
    finale(final_dir, executor, n_splits=2, n_refits=2).run()
    assert [name for name, *_ in executor.ran] == ["refit_1", "ensemble", "distilled"]


# Rule: a kill between the refits and their ensemble costs the ensemble alone; a damaged network is
# trained again, and what rests on it is made again.
def test_the_ensemble_follows_its_networks(final_dir):
    finale(final_dir, WritingExecutor(final_dir), n_splits=0, n_refits=2).run()
    (final_dir / "ensemble" / "result.json").unlink()
    assert not finale(final_dir, None, n_splits=0, n_refits=2).is_done()
    finale(final_dir, executor := WritingExecutor(final_dir), n_splits=0, n_refits=2).run()
    assert [name for name, *_ in executor.ran] == ["ensemble"]

    (final_dir / "refit_1" / "model.ckpt").write_bytes(b"PK, and no more of it")
    assert not finale(final_dir, None, n_splits=0, n_refits=2).is_done()
    finale(final_dir, executor := WritingExecutor(final_dir), n_splits=0, n_refits=2).run()
    assert [name for name, *_ in executor.ran] == ["refit_1", "ensemble"]


def test_without_an_ensemble_there_are_only_its_networks(final_dir):
    asked = {"n_splits": 0, "n_refits": 2, "ensemble": False}
    finale(final_dir, executor := WritingExecutor(final_dir), **asked).run()
    assert [name for name, *_ in executor.ran] == ["refit", "refit_1"]
    assert finale(final_dir, None, **asked).is_done()
