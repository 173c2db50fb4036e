"""Pruning, best epoch and diverged losses: rules on literal sequences, and the oracle."""

import json
import math
import sys

import optuna
import pytest
import torch
from optuna.trial import TrialState
from quiet import quiet_trainer

from lightning_hpo.callbacks.reporting import BestEpoch, FailOnNonFinite, PruningCallback
from lightning_hpo.errors import NonFiniteLoss, UserError
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.address import VARIABLE


class Scripted(pl.LightningModule):
    """Logs ``values[epoch]`` as val/loss; what it trains does not matter."""

    def __init__(
        self, values: list[float], *, train_loss: float = 1.0, name: str = "train/loss"
    ) -> None:
        super().__init__()
        self.name = name
        self.values = values
        self.train_loss = train_loss
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        self.log(self.name, self.train_loss)
        return self.layer(batch).sum()

    def validation_step(self, batch, batch_idx):
        value = 1e9 if self.trainer.sanity_checking else self.values[self.current_epoch]
        self.log("val/loss", value)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(
    module: pl.LightningModule,
    *callbacks: pl.Callback,
    epochs: int | None = None,
    validate_every: int = 1,
) -> None:
    loader = torch.utils.data.DataLoader(torch.zeros(2, 1), batch_size=2)
    quiet_trainer(
        max_epochs=epochs or len(module.values),
        callbacks=list(callbacks),
        num_sanity_val_steps=1,
        check_val_every_n_epoch=validate_every,
    ).fit(
        module,
        loader,
        loader if pl.utilities.model_helpers.is_overridden("validation_step", module) else None,
    )


def study_with(*curves: list[float], pruner: optuna.pruners.BasePruner | None = None):
    study = optuna.create_study(pruner=pruner or optuna.pruners.NopPruner())
    for curve in curves:
        trial = study.ask()
        for step, value in enumerate(curve):
            trial.report(value, step)
        study.tell(trial, min(curve))
    return study


def test_each_validation_is_reported_once_and_the_sanity_check_never():
    trial = study_with().ask()
    fit(Scripted([0.5, 0.25, 0.75]), PruningCallback(trial, monitor="val/loss"))
    # 0.5, 0.25 and 0.75 are exact in float32, in which Lightning logs.
    assert trial.study.trials[0].intermediate_values == {0: 0.5, 1: 0.25, 2: 0.75}


class SeveralTimes(Scripted):
    """Validates twice an epoch: each of ``values`` is one validation's."""

    def validation_step(self, batch, batch_idx):
        values = [1e9] if self.trainer.sanity_checking else self.values
        self.log("val_score", values[min(self.global_step, len(values)) - 1])


# Rule: the last validation in an epoch speaks for it, to the pruner, the best epoch and the end.
def test_an_epoch_is_judged_by_its_last_validation():
    trial = study_with().ask()
    best = BestEpoch(monitor="val_score", mode="min")
    loader = torch.utils.data.DataLoader(torch.zeros(2, 1), batch_size=1)
    # Two batches an epoch, each followed by a validation: 0.125 is passed by in epoch 1.
    module = SeveralTimes([0.75, 0.5, 0.125, 0.25, 0.75, 0.5])
    quiet_trainer(
        max_epochs=3,
        val_check_interval=1,
        callbacks=[best, PruningCallback(trial, monitor="val_score")],
        num_sanity_val_steps=1,
    ).fit(module, loader, loader)
    assert trial.study.trials[0].intermediate_values == {0: 0.5, 1: 0.25, 2: 0.5}
    assert (best.value, best.epoch, best.metrics["val_score"]) == (0.25, 1, 0.25)
    assert best.last["val_score"] == 0.5
    assert best.stages == {"val_score": "val", "train/loss": "train"}


class Misnamed(Scripted):
    """Logs by names that say nothing of the stage, or another one; by step and epoch too."""

    def training_step(self, batch, batch_idx):
        self.log("val_of_training", 3.0, on_step=True, on_epoch=True)
        return self.layer(batch).sum()

    def validation_step(self, batch, batch_idx):
        self.log("MyLoss", self.values[self.current_epoch])
        if self.current_epoch == 0 and not self.trainer.sanity_checking:
            self.log("train_like", 7.0)


def test_a_metric_belongs_to_the_stage_that_logged_it():
    best = BestEpoch(monitor="MyLoss", mode="min")
    fit(Misnamed([0.5, 0.25]), best)
    names = ("val_of_training", "val_of_training_step", "val_of_training_epoch")
    expected = {"MyLoss": "val", "train_like": "val", **dict.fromkeys(names, "train")}
    assert best.stages == expected
    # Of the best epoch, in which train_like was not logged.
    assert best.metrics == {"MyLoss": 0.25, **dict.fromkeys(names, 3.0)}
    assert best.last["train_like"] == 7.0


class EverySecond(Scripted):
    """Logs the monitor in every second epoch only, as an expensive metric is."""

    def validation_step(self, batch, batch_idx):
        if not self.trainer.sanity_checking and self.current_epoch % 2:
            self.log("val/loss", 0.5 / (1 + self.current_epoch))


def test_epochs_without_the_monitor_are_passed_over():
    trial, best = study_with().ask(), BestEpoch(monitor="val/loss", mode="min")
    fit(EverySecond([0.0] * 5), best, PruningCallback(trial, monitor="val/loss"))
    # 0.5 / 2 and 0.5 / 4, not once more in the epochs behind them.
    assert trial.study.trials[0].intermediate_values == {1: 0.25, 3: 0.125}
    assert (best.value, best.epoch) == (0.125, 3)


class OnlyTrains(pl.LightningModule):
    """Logs ``values[epoch]`` of its training, in its step or in its hook at the epoch's end."""

    def __init__(self, values: list[float], *, in_hook: bool = False, every: int = 1) -> None:
        super().__init__()
        self.values, self.in_hook, self.every = values, in_hook, every
        self.layer = torch.nn.Linear(1, 1)

    def _log(self) -> None:
        if self.current_epoch % self.every == self.every - 1:
            self.log("fit_loss", self.values[self.current_epoch], on_epoch=True)

    def training_step(self, batch, batch_idx):
        if not self.in_hook:
            self._log()
        return self.layer(batch).sum()

    def on_train_epoch_end(self):
        if self.in_hook:
            self._log()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


# Rule: a monitor of the training is judged at each training epoch's end, wherever it is logged.
@pytest.mark.parametrize("in_hook", [False, True])
@pytest.mark.parametrize(("every", "expected"), [(1, {0: 0.5, 1: 0.25, 2: 0.75}), (2, {1: 0.25})])
def test_a_monitor_of_the_training_is_judged_too(in_hook, every, expected):
    trial, best = study_with().ask(), BestEpoch(monitor="fit_loss", mode="min")
    module = OnlyTrains([0.5, 0.25, 0.75], in_hook=in_hook, every=every)
    fit(module, best, PruningCallback(trial, monitor="fit_loss"), epochs=3)
    assert trial.study.trials[0].intermediate_values == expected
    assert (best.value, best.epoch, best.metrics["fit_loss"]) == (0.25, 1, 0.25)
    assert best.last["fit_loss"] == [*expected.values()][-1]
    assert best.stages["fit_loss"] == "train"


@pytest.mark.parametrize("in_hook", [False, True])
def test_a_fit_is_pruned_by_its_training(in_hook):
    pruner = optuna.pruners.ThresholdPruner(upper=0.6)
    trial = study_with(pruner=pruner).ask()
    with pytest.raises(optuna.TrialPruned, match=r"epoch 2 with fit_loss=0.75"):
        fit(
            OnlyTrains([0.5, 0.75, 0.25], in_hook=in_hook),
            PruningCallback(trial, monitor="fit_loss"),
            epochs=3,
        )
    assert trial.study.trials[0].intermediate_values == {0: 0.5, 1: 0.75}


def test_a_training_that_is_not_finite_ends_the_fit_with_its_epoch():
    module = OnlyTrains([0.5, math.nan, 0.5], in_hook=True)
    best = BestEpoch(monitor="fit_loss", mode="min")
    with pytest.raises(NonFiniteLoss, match="fit_loss became nan in epoch 2"):
        fit(module, FailOnNonFinite(monitor="fit_loss"), best, epochs=3)
    assert (best.value, best.epoch) == (0.5, 0)


class ByStepAndEpoch(Scripted):
    """Logs by step and by epoch, which Lightning's loggers name apart."""

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.values[self.current_epoch], on_step=True, on_epoch=True)


@pytest.mark.parametrize("monitor", ["val/loss", "val/loss_epoch"])
def test_a_metric_by_step_and_epoch_has_both_names(monitor):
    best = BestEpoch(monitor=monitor, mode="min")
    fit(ByStepAndEpoch([0.5, 0.25, 0.75]), best)
    assert (best.value, best.epoch) == (0.25, 1)


def test_steps_of_a_later_fold_go_on_after_the_earlier_ones():
    trial = study_with().ask()
    fit(Scripted([0.5, 0.25]), PruningCallback(trial, monitor="val/loss", first_step=10))
    assert trial.study.trials[0].intermediate_values == {10: 0.5, 11: 0.25}


def test_the_pruners_word_ends_the_fit():
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=0)
    study = study_with([0.5, 0.25, 0.1], [0.5, 0.25, 0.1], pruner=pruner)
    trial = study.ask()
    # Epoch 0: 0.5 is not worse than the median 0.5. Epoch 1: best so far 0.5 > median 0.25.
    with pytest.raises(optuna.TrialPruned, match=r"epoch 2 with val/loss=0.5"):
        fit(Scripted([0.5, 0.5, 0.5]), PruningCallback(trial, monitor="val/loss"))
    assert study.trials[2].intermediate_values == {0: 0.5, 1: 0.5}


# Rule: it may be logged in some epochs alone, so that only the end of a fit tells.
def test_a_monitor_that_was_never_logged_raises_at_the_end():
    with pytest.raises(UserError) as caught:
        fit(Scripted([0.5, 0.5]), PruningCallback(study_with().ask(), monitor="val/los"))
    assert str(caught.value) == (
        "monitor 'val/los' was not logged; available: ['train/loss', 'val/loss']."
        " Did you mean 'val/loss'?"
    )
    with pytest.raises(UserError, match=r"available: \[.*'fit_loss.*No validation ran in 2 epochs"):
        fit(OnlyTrains([0.5, 0.5]), BestEpoch(monitor="val/loss", mode="min"), epochs=2)


CURVES = {
    "improving": [0.75, 0.5, 0.25, 0.125],
    "hopeless": [4.0, 4.0, 4.0, 4.0],
    "late": [1.0, 1.0, 1.0, 0.125],
    "one good epoch": [0.25, 2.0, 2.0, 2.0],
    "border": [0.75, 0.5, 0.5, 0.5],
}
PRUNERS = {
    "none": optuna.pruners.NopPruner,
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1),
    "percentile": lambda: optuna.pruners.PercentilePruner(25.0, n_startup_trials=1),
    "successive halving": lambda: optuna.pruners.SuccessiveHalvingPruner(reduction_factor=2),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=4, reduction_factor=2),
    "threshold": lambda: optuna.pruners.ThresholdPruner(upper=3.0),
    "patient": lambda: optuna.pruners.PatientPruner(
        optuna.pruners.MedianPruner(n_startup_trials=1), patience=1
    ),
}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("curve", CURVES)
def test_agrees_with_optuna_integrations_callback(curve, pruner):
    pytest.importorskip("lightning", reason="optuna-integration's callback imports it")
    from optuna_integration import PyTorchLightningPruningCallback

    def outcome(make_callback) -> tuple[TrialState, dict[int, float]]:
        study = study_with(CURVES["improving"], CURVES["border"], pruner=PRUNERS[pruner]())
        trial = study.ask()
        try:
            fit(Scripted(CURVES[curve]), make_callback(trial))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, 0.0)
        return study.trials[2].state, study.trials[2].intermediate_values

    ours = outcome(lambda trial: PruningCallback(trial, monitor="val/loss"))
    assert ours == outcome(
        lambda t: _as_pl_callback(PyTorchLightningPruningCallback(t, "val/loss"))
    )


def _as_pl_callback(theirs) -> pl.Callback:
    """Their callback derives from ``lightning``'s; a Trainer of pytorch_lightning takes it so."""

    class Adapter(pl.Callback):
        def on_fit_start(self, trainer, pl_module):
            theirs.on_fit_start(trainer, pl_module)

        def on_validation_end(self, trainer, pl_module):
            theirs.on_validation_end(trainer, pl_module)

    assert "lightning" in sys.modules
    return Adapter()


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("min", [0.5, 0.25, 0.25, 0.75], (0.25, 1)),
        ("max", [0.5, 0.75, 0.75, 0.25], (0.75, 1)),
    ],
)
def test_the_best_epoch_is_the_first_of_equals(mode, values, best):
    tracker = BestEpoch(monitor="val/loss", mode=mode)
    fit(Scripted(values), tracker)
    assert (tracker.value, tracker.epoch) == best
    assert tracker.metrics["val/loss"] == best[0]


def test_the_best_epoch_starts_clean_at_each_fit():
    tracker = BestEpoch(monitor="val/loss", mode="min")
    fit(Scripted([0.25, 0.5]), tracker)
    fit(Scripted([0.75, 0.5]), tracker)
    assert (tracker.value, tracker.epoch) == (0.5, 1)
    assert tracker.curve["val/loss"] == [0.75, 0.5]


# Rule: the curve has every epoch that was validated, and what its validation logged.
def test_the_curve_is_of_the_epochs_that_were_validated():
    tracker = BestEpoch(monitor="val/loss", mode="min")
    fit(Scripted([0.5, 0.25, 0.75, 0.125]), tracker, validate_every=2)
    assert tracker.curve == {"epoch": [1, 3], "val/loss": [0.25, 0.125]}


# Rule: ranks bring home what the callback knows, also the curve.
def test_the_curve_travels_with_the_state():
    tracker, home = (BestEpoch(monitor="val/loss", mode="min") for _ in range(2))
    fit(Scripted([0.5, 0.25]), tracker)
    home.load_state_dict(tracker.state_dict())
    assert home.curve == tracker.curve == {"epoch": [0, 1], "val/loss": [0.5, 0.25]}


def test_an_unknown_mode_is_refused():
    with pytest.raises(UserError, match="mode must be 'min' or 'max', got mode='lowest'"):
        BestEpoch(monitor="val/loss", mode="lowest")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Scripted([0.5, math.nan, 0.5]), "val/loss became nan in epoch 2"),
        (Scripted([0.5, math.inf, 0.5]), "val/loss became inf in epoch 2"),
        (Scripted([0.5, 0.5], train_loss=math.nan), "train/loss became nan in epoch 1"),
        (Scripted([0.5, 0.5], train_loss=math.nan, name="loss_train"), "loss_train became nan"),
    ],
)
def test_a_loss_that_is_not_finite_ends_the_fit_with_the_reason(module, reason):
    with pytest.raises(NonFiniteLoss, match=reason):
        fit(module, FailOnNonFinite(monitor="val/loss"))


# Rule: outside a sweep the callback does nothing, also where the metric is never logged.
@pytest.mark.parametrize("monitor", ["val/loss", "val/typo"])
def test_without_a_trial_nothing_is_reported_or_required(monitor, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    callback = PruningCallback(monitor=monitor)
    assert callback.is_idle
    fit(Scripted([0.5, 0.25]), callback)
    assert callback.pruned is None


# Rule: in a program that the job has started all ranks stop together, and the first one reports.
def test_a_rank_of_a_trial_is_not_idle(monkeypatch):
    told = {"number": 3, "study_name": "s", "folder": "/s"}
    monkeypatch.setenv(VARIABLE, json.dumps(told))
    assert not PruningCallback(monitor="val/loss").is_idle
    with pytest.raises(UserError, match="monitor 'val/typo' was not logged"):
        fit(Scripted([0.5]), PruningCallback(monitor="val/typo"))
