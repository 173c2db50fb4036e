"""The last words of a study: what came out, where it lies, what to type next."""

from pathlib import Path

import numpy as np
import pytest
from rare_class import rare_yes

from lightning_hpo.protocol.samples import Samples
from lightning_hpo.results.last_words import summary
from lightning_hpo.results.trivial import beside

FOUND = {
    "study_name": "s",
    "monitor": "val/loss",
    "direction": "minimize",
    "trials": {"complete": 2, "pruned": 1, "failed": 0, "total": 3},
    "best": {"number": 1, "value": 0.25, "params": {"model.dropout": 0.123456, "optimizer": None}},
    "forced_resumes": [],
    "cv": None,
    "holdout": None,
    "refits": [],
    "test": None,
    "test_std": None,
    "no_test": None,
    "seconds": {"search": 130.0, "final": 0.0},
    "command": "python -m lightning_hpo +experiment=x study.n_trials=3",
}


def test_a_search_alone_is_told_with_its_winner_and_how_to_go_on() -> None:
    assert summary(FOUND, Path("studies/s")).splitlines() == [
        "",
        "3 trials: 2 complete, 1 pruned, 0 failed",
        "best: trial 1 with val/loss 0.2500",
        "    model.dropout = 0.1235",
        "    optimizer = null",
        "took: search 2 min, final job 0 s",
        "",
        "report      studies/s/report.html",
        "results     studies/s/results.json",
        "trials      studies/s/trials",
        "",
        "next:",
        "    tensorboard --logdir studies/s",
        "    python -m lightning_hpo +experiment=x study.n_trials=6   # more trials",
        "    python -m lightning_hpo.rerun studies/s 1   # the best trial again",
    ]


def test_a_final_job_is_told_part_by_part() -> None:
    cv = {"n_splits": 5, "val/loss_mean": 0.5, "val/loss_std": 0.125}
    refits = [{"test": {"test/loss": 0.5}}, {"test": {"test/loss": 0.75}}]
    found = FOUND | {
        "cv": cv,
        "holdout": {"epochs": 12, "last": {"val/loss": 0.375}},
        "refits": refits,
        "test": {"test/loss": 0.625},
        "test_std": {"test/loss": 0.25},
    }
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[5:8] == [
        "5-fold cross-validation: val/loss 0.5000 ± 0.1250",
        "without early stopping, 12 epochs: val/loss 0.3750",
        "test, opened once by each of 2 networks: test/loss 0.6250 ± 0.2500",
    ]
    assert "model       studies/s/final/model.ckpt" in lines


CLOSE = Samples.of(np.arange(4), np.array([0.0, 1, 2, 2]), np.array([0.0, 1, 2, 3]))
OF_VALUES = {"test": beside([CLOSE.judged_by({"test/loss": 0.25})], None), "folds": None}


# Rule: beside the test stands what a model gets that looks at no input.
@pytest.mark.parametrize(
    ("trivial", "line"),
    [
        (rare_yes(6, 0), "    always saying no gets 0.91; balanced accuracy 0.48"),
        (OF_VALUES, "    R² 0.80; always saying the mean has test/loss 1.25"),
        ({"test": None, "folds": None}, "took: search 2 min, final job 0 s"),
        (None, "took: search 2 min, final job 0 s"),
    ],
)
def test_a_trivial_model_stands_beside_the_test(trivial, line):
    found = FOUND | {"test": {"test/loss": 0.5}, "trivial": trivial}
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[5:7] == ["test, opened once: test/loss 0.5000", line]


def test_what_was_different_in_the_final_job_is_said() -> None:
    refit = {"test": None, "val_fraction": 0.1, "left_out": {"grad_cam": "no convolution"}}
    found = FOUND | {"refits": [refit], "no_test": "there is no test_step"}
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[5:8] == [
        "no test: there is no test_step",
        "the refit kept 10% of the training data to validate on",
        "figures left out, see the report: grad_cam",
    ]


def test_another_applications_study_is_told_by_its_search_alone() -> None:
    kept = ("study_name", "monitor", "direction", "trials", "best", "forced_resumes", "seconds")
    found = {key: FOUND[key] for key in kept}
    found |= {"application": "train.py", "command": "python train.py -m"}
    assert summary(found, Path("out")).splitlines()[5:] == [
        "took: search 2 min",
        "",
        "report      out/report.html",
        "results     out/results.json",
        "trials      out",
        "",
        "next:",
        "    python train.py -m hydra.sweeper.n_trials=6   # more trials",
    ]


# Rule: the race's winner is what the study found; the search's best is named beside it.
def test_the_winner_of_a_race_is_told_with_its_mean() -> None:
    best = {"number": 1, "value": 0.25, "params": {"x": 1}, "values": [0.5, None], "left": "out"}
    other = {"number": 0, "value": 0.5, "params": {"x": 2}, "values": [0.25, 0.5], "left": None}
    race = {"rounds": [[1, 0], [0, 1]], "candidates": [best, other], "winner": 0}
    found = FOUND | {"race": race | {"told_apart": [], "split_anew": True}}
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[2:7] == [
        "best: trial 1 with val/loss 0.2500",
        "    model.dropout = 0.1235",
        "    optimizer = null",
        "race: trial 0 won, val/loss 0.3750 over 2 rounds",
        "    x = 2",
    ]
    assert lines[-1].endswith("rerun studies/s 0   # the race's winner again")
    found["race"]["winner"] = 1
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[5] == "race: trial 1 won, val/loss 0.5000 over 1 round"
    assert not lines[6].startswith(" ")


def test_what_a_procedure_is_worth_is_told_where_it_was_asked() -> None:
    nested = {"n_folds": 5, "folds": [], "test/loss_mean": 0.31, "test/loss_std": 0.02}
    told = summary(FOUND | {"nested": nested}, Path("studies/s"))
    assert "nested cross-validation, 5 outer folds: test/loss 0.3100 ± 0.0200" in told.splitlines()
    assert "nested" not in summary(FOUND | {"nested": None}, Path("studies/s"))


# Rule: the ensemble is a row of its own, never a part of the networks' mean.
def test_the_ensemble_is_told_beside_its_networks() -> None:
    refits = [{"test": {"test/loss": 0.5}}, {"test": {"test/loss": 0.75}}]
    together = {"n": 2, "test": {"test/loss": 0.375}, "no_test": None, "no_model": None}
    found = FOUND | {"refits": refits, "test": {"test/loss": 0.625}, "ensemble": together}
    found |= {"test_std": {"test/loss": 0.25}}
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[5:7] == [
        "test, opened once by each of 2 networks: test/loss 0.6250 ± 0.2500",
        "ensemble of the 2 networks, on the same test samples: test/loss 0.3750",
    ]
    assert "ensemble    studies/s/final/ensemble.ckpt" in lines

    together |= {"test": {}, "no_test": "refit kept no test samples", "no_model": "it is damaged"}
    lines = summary(found, Path("studies/s")).splitlines()
    assert lines[6:8] == [
        "ensemble of the 2 networks without a test result: refit kept no test samples",
        "ensemble of the 2 networks without a model: it is damaged",
    ]
    assert not [line for line in lines if line.startswith("ensemble  ")]
