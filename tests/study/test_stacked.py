"""Stacked folds against the same folds trained one after the other by stock Lightning."""

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from optuna.trial import TrialState

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.judging import FoldCurve, judged_epochs
from lightning_hpo.protocol.messages import FitResult, JobContext, TrialResult
from lightning_hpo.protocol.trial_values import read_trial_values

sys.path.insert(0, str(Path(__file__).parent))
from command import run, trials


def config(*overrides: str) -> DictConfig:
    common = [
        "+experiment=mlp_two_layers",
        "trainer.max_epochs=60",
        "trainer.accelerator=cpu",
        "callbacks.early_stopping.patience=8",
        "cv.n_splits=3",
        "optimizer.lr=0.02",
    ]
    with initialize_config_dir(str(config_dir())):
        cfg = compose("config", overrides=[*common, *overrides])
    return cfg


@pytest.fixture(autouse=True)
def _leave_nothing_of_hydra():
    yield
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()


SMALL = ("model.neurons.layer_1=12", "model.neurons.layer_2=7")


def both_ways(tmp_path: Path, *words: str) -> tuple[TrialResult, TrialResult]:
    """The same trial with its folds one after the other, and as one stack."""
    serial, stacked = (
        run_trial(config(f"cv.parallel={how}", *words), JobContext(tmp_path / how), None)
        for how in ("serial", "stacked")
    )
    return serial, stacked


def require_alike(theirs: FitResult, ours: FitResult) -> None:
    """One fold of either way: its value, its epochs, its training loss."""
    assert ours.value == pytest.approx(theirs.value, rel=2e-3)
    assert (ours.best_epoch, ours.epochs) == (theirs.best_epoch, theirs.epochs)
    assert ours.metrics["train/loss"] == pytest.approx(theirs.metrics["train/loss"], rel=2e-3)


# Rule: without dropout, each fold gives the serial fold's number, at the same epoch, after as many.
@pytest.mark.parametrize(
    "choices",
    [
        "optimizer=sgd",
        "optimizer=adam",
        "optimizer=adamw",
        "optimizer=radam",
        "optimizer=adam scheduler=cosine scheduler.final=0.1",
        "optimizer=sgd scheduler=one_cycle",
    ],
)
def test_each_fold_is_what_a_stock_fit_gives(tmp_path: Path, choices: str):
    common = (*choices.split(), *SMALL)
    serial, stacked = both_ways(tmp_path, *common)

    for theirs, ours in zip(serial.fits, stacked.fits, strict=True):
        require_alike(theirs, ours)
        assert ours.curve["epoch"] == theirs.curve["epoch"]
        assert ours.curve["val/loss"] == pytest.approx(theirs.curve["val/loss"], rel=2e-3)
    judged = [
        judged_epochs([FoldCurve.of(f.curve, "val/loss") for f in found.fits], "others", mode="min")
        for found in (serial, stacked)
    ]
    assert judged[0] == judged[1]
    # Nor does it matter to what is known of each sample.
    theirs, ours = (
        read_trial_values(tmp_path / how / "losses.npz") for how in ("serial", "stacked")
    )
    assert theirs is not None and ours is not None
    assert ours.index.tolist() == theirs.index.tolist() == list(range(len(theirs.index)))
    assert ours.values == pytest.approx(theirs.values, rel=2e-2, abs=2e-3)
    assert stacked.value == pytest.approx(serial.value, rel=2e-3)


# Rule: so it is with targets that are scaled, each fold's by its own rows.
def test_folds_of_a_scaled_target_are_what_stock_fits_give(tmp_path: Path) -> None:
    rows = "".join(f"{k * 7 % 31},{200_000 + 900 * (k * 7 % 31) + k * k}\n" for k in range(60))
    (tmp_path / "a.csv").write_text("size,price\n" + rows)
    table = ("data=table", f"data.train={tmp_path / 'a.csv'}", "data.target=price")
    common = (*table, *SMALL, "data.batch_size=null", "optimizer=adam", "optimizer.lr=0.02")
    serial, stacked = both_ways(tmp_path, *common)
    for theirs, ours in zip(serial.fits, stacked.fits, strict=True):
        require_alike(theirs, ours)
        # The mean alone would be off by about 8,000.
        assert ours.value < 4_000**2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model=fc data=digits model.batch_norm=true", "model.batch_norm=false"),
        ("data.batch_size=10", "data.batch_size=10"),
        ("trainer.precision=bf16-mixed", "trainer.precision=bf16-mixed"),
        ("+trainer.gradient_clip_val=1.0", "trainer.gradient_clip_val=1.0"),
        ("pruner=wilcoxon", "Wilcoxon"),
        ("monitor=val/accuracy", "val/accuracy"),
        ("augment=standard", "augment=none"),
        ("cv.parallel=both", "cv.parallel=both"),
        ("cv.epochs_per_step=0", "cv.epochs_per_step=0"),
        ("+trainer.check_val_every_n_epoch=61", "needs a validation"),
        ("+trainer.logger={_target_:no.Logger}", "trainer.logger"),
        ("+trainer.callbacks=[{_target_:pytorch_lightning.callbacks.Timer}]", "Timer"),
    ],
)
def test_what_cannot_be_stacked_is_one_line_that_names_it(
    tmp_path: Path, override: str, words: str
):
    with pytest.raises(UserError) as error:
        run_trial(config(*override.split()), JobContext(tmp_path), None)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


SEARCH = (
    "hydra/sweeper/sampler=random",
    "pruner=none",
    "study.n_trials=6",
    "study.final=false",
    "trainer.max_epochs=60",
    "cv.n_splits=3",
    "optimizer=choice(sgd, adam)",
    "optimizer.lr=choice(0.001, 0.01, 1e9)",
    "model.neurons.layer_1=choice(4, 9)",
    "model.dropout=choice(0.0, 0.1)",
)


# Rule: a trial that shares its stack is told, logged and foldered as if it had run alone; one that
# diverges is FAILED and does not touch the others.
@pytest.mark.sweep
def test_trials_of_a_stack_end_as_if_each_had_run_alone(tmp_path: Path):
    for launcher, more in (("workers", ()), ("stacked", ("study.batch=3",))):
        status, _, err = run(
            tmp_path,
            *SEARCH,
            f"hydra/launcher={launcher}",
            f"study.dir={tmp_path / launcher}",
            *more,
            experiment="mlp_depth",
        )
        assert (status, err) == (0, "")

    alone, stacked = (trials(tmp_path / launcher) for launcher in ("workers", "stacked"))
    assert {t.params["model.depth"] for t in alone} == {1, 2}
    assert {t.state for t in alone} == {TrialState.COMPLETE, TrialState.FAIL}
    for theirs, ours in zip(alone, stacked, strict=True):
        assert (ours.number, ours.params, ours.state) == (
            theirs.number,
            theirs.params,
            theirs.state,
        )
        if ours.state is TrialState.COMPLETE:
            assert ours.value == pytest.approx(theirs.value, rel=1e-3)
        else:
            assert ours.user_attrs["failure"] == theirs.user_attrs["failure"]
        folders = [tmp_path / name / "trials" / str(ours.number) for name in ("workers", "stacked")]
        names = [{p.name.split(".")[0] for p in folder.iterdir()} for folder in folders]
        assert names[0] == names[1]
        curves = [(folder / "metrics.csv").read_text() for folder in folders]
        assert curves[0].count("\n") == curves[1].count("\n")


# Rule: where a process dies with several trials, all are tried again, alone, and none is blamed.
@pytest.mark.sweep
def test_trials_whose_common_process_was_killed_are_tried_again(tmp_path: Path):
    status, _, err = run(
        tmp_path,
        "hydra/launcher=stacked",
        "hydra/sweeper/sampler=random",
        "pruner=none",
        "study.n_trials=4",
        "study.batch=4",
        "study.n_jobs=1",
        "study.max_retries=0",
        "study.final=false",
        f"study.dir={tmp_path / 'study'}",
        "trainer.max_epochs=20",
        "cv.n_splits=2",
        "model._target_=mortal_model.MortalRegressor",
        experiment="mlp_depth",
    )

    assert (status, err) == (0, "")
    first, again = trials(tmp_path / "study")[:4], trials(tmp_path / "study")[4:]
    assert [t.state for t in first] == [TrialState.FAIL] * 4
    assert all("SIGKILL" in t.user_attrs["failure"] for t in first)
    assert [t.state for t in again] == [TrialState.COMPLETE] * 4
    assert sorted(t.user_attrs["retry_of"] for t in again) == [0, 1, 2, 3]
