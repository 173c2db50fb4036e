"""What a fit leaves behind besides its metrics: hyperparameters, charts, indices, predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from torch import Tensor
from torch.utils.tensorboard.summary import hparams

from lightning_hpo.callbacks.loggers import State, is_a_tracker
from lightning_hpo.callbacks.reporting import BestEpoch, StageOfMetrics
from lightning_hpo.callbacks.samples import data_of
from lightning_hpo.data import told
from lightning_hpo.explain import predictions
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.stages import Stage, of_stage, quantity


class HyperparameterSummary(pl.Callback):
    """Tells trackers what was searched as a fit starts, and at its end the metric ``objective``.

    Also when pruned. ``at_end``: it is the last value of the monitor, as under a schedule, not the
    best one. TensorBoard's HParams tab has a row for each trial, not for each fit: see
    :mod:`lightning_hpo.jobs.hparams`.
    """

    def __init__(self, params: Mapping[str, Any], best: BestEpoch, *, at_end: bool = False) -> None:
        self.params = dict(params)
        self.best = best
        self.at_end = at_end

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for logger in trainer.loggers:
            if self.params and is_a_tracker(logger):
                logger.log_hyperparams(self.params)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._log(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._log(trainer)

    def _log(self, trainer: pl.Trainer) -> None:
        # The loggers of other ranks have no writer.
        if self.best.value is None or not trainer.is_global_zero:
            return
        value = self.best.last[self.best.monitor] if self.at_end else self.best.value
        for logger in trainer.loggers:
            if is_a_tracker(logger):
                logger.log_metrics({"objective": value}, step=trainer.global_step)


def log_searched(
    logger: pl.loggers.TensorBoardLogger,
    params: Mapping[str, Any],
    objective: float | None,
    state: State,
) -> None:
    """One row of TensorBoard's HParams tab, in which ``state`` is a column as the parameters are.

    Not the logger's own method, which also says which columns there are: TensorBoard believes the
    first trial that says so, and would hide what only others have, such as a conditional parameter.
    """
    metrics = {} if objective is None else {"objective": objective}
    logger.log_metrics(metrics)
    named = {name: "null" if value is None else value for name, value in params.items()}
    _, start, end = hparams({**named, "state": state}, metrics)
    writer = logger.experiment._get_file_writer()
    for summary in (start, _failed() if state == "failed" else end):
        writer.add_summary(summary)


def _failed() -> Summary:
    """The end of a row, as TensorBoard marks one that failed."""
    told = HParamsPluginData(session_end_info=SessionEndInfo(status=STATUS_FAILURE))
    about = metadata.create_summary_metadata(told)
    return Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about)])


class CurvesLayout(pl.Callback):
    """A layout for TensorBoard's custom scalars: one chart a metric, training and validation in it.

    Written as soon as both are logged, behind the first epoch. ``logged`` knows the stages, and
    stands before this among the callbacks.
    """

    def __init__(self, logged: StageOfMetrics) -> None:
        self.logged = logged

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._is_written = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer)

    # A fit of a single epoch.
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write(trainer)

    def _write(self, trainer: pl.Trainer) -> None:
        layout = {} if self._is_written else curves_layout(self.logged.stages)
        for logger in trainer.loggers:
            if layout and isinstance(logger, pl.loggers.TensorBoardLogger):
                logger.experiment.add_custom_scalars(layout)
        self._is_written = self._is_written or bool(layout)


def curves_layout(stages: Mapping[str, Stage]) -> dict[str, dict[str, list[Any]]]:
    """A chart for each quantity that training and validation log."""
    train = {quantity(name): _tag(name, stages) for name in of_stage(stages, "train")}
    val = {quantity(name): _tag(name, stages) for name in of_stage(stages, "val")}
    charts = {what: ["Multiline", [train[what], val[what]]] for what in val if what in train}
    return {"learning curves": charts} if charts else {}


def _tag(name: str, stages: Mapping[str, Stage]) -> str:
    # What Lightning's loggers call a metric that is logged by step and by epoch.
    return f"{name}_epoch" if f"{name}_epoch" in stages else name


class FoldIndices(pl.Callback):
    """Saves the samples of a fit as the arrays ``train`` and ``val`` of an ``npz`` file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            save_indices(self.path, data_of(trainer))


def save_indices(path: Path, data: Any) -> None:
    """The arrays ``train`` and ``val``: which of the training samples are which.

    Data that split themselves need not tell, and then there is no file.
    """
    found = told.fold_indices(data)
    if found is not None:
        np.savez_compressed(path, train=found[0], val=found[1])


class BestPredictions(BestEpoch):
    """Saves what the network of the best epoch predicts over a grid of inputs.

    Kept are the predictions, not the weights. Does nothing but for regression on one input.
    """

    def __init__(self, path: Path, *, monitor: str, mode: str) -> None:
        self.path = path
        self.x_grid: Tensor | None = None
        self.y: Tensor | None = None
        self._validated: Tensor | None = None
        super().__init__(monitor=monitor, mode=mode)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        self.x_grid, self.y = predictions.input_grid(data_of(trainer)), None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if self.x_grid is None or self._latest is None or not trainer.is_global_zero:
            return
        # While the network is still the one that was validated.
        if self.improves(self._latest[self.monitor]):
            self._validated = predictions.predict(pl_module, data_of(trainer), self.x_grid)

    def judge(self, trainer: pl.Trainer, logged: dict[str, float]) -> None:
        if self.improves(logged[self.monitor]):
            if not self._is_validated and self.x_grid is not None and trainer.is_global_zero:
                module, data = trainer.lightning_module, data_of(trainer)
                self._validated = predictions.predict(module, data, self.x_grid)
            self.y = self._validated
        super().judge(trainer, logged)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.x_grid is not None and self.y is not None:
            predictions.save_predictions(self.path, self.x_grid, self.y)


class LastPredictions(pl.Callback):
    """Saves what the network predicts over a grid of inputs when its training has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            predictions.save_over_grid(self.path, pl_module, data_of(trainer))


def copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy of a state dict on the CPU, which further training leaves alone."""
    return {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


class KeptWeights(BestEpoch):
    """Keeps a copy of the weights of the best epoch, or with ``latest`` of the last validated one.

    On the CPU, as a state dict. With weight averaging these are the averaged weights, which were
    validated, if this callback stands before it. ``validated`` and ``latest_value`` are of the last
    validation in any case.
    """

    def __init__(self, *, monitor: str, mode: str, latest: bool = False) -> None:
        self.latest = latest
        super().__init__(monitor=monitor, mode=mode)

    def _forget(self) -> None:
        super()._forget()
        self.weights: dict[str, Tensor] = {}
        self.latest_value: float | None = None
        self.validated: dict[str, Tensor] = {}

    # Behind this hook the averaged weights make way for the network's own.
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._copy(pl_module)

    def _copy(self, pl_module: pl.LightningModule) -> None:
        self.validated = copied(pl_module.state_dict())

    def judge(self, trainer: pl.Trainer, logged: dict[str, float]) -> None:
        if not self._is_validated:
            self._copy(trainer.lightning_module)
        self.latest_value = logged[self.monitor]
        if self.latest or self.improves(self.latest_value):
            self.weights = self.validated
        super().judge(trainer, logged)

    def state_dict(self) -> dict[str, Any]:
        own = {
            "weights": self.weights,
            "validated": self.validated,
            "latest_value": self.latest_value,
        }
        return {**super().state_dict(), **own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.weights, self.validated = state_dict["weights"], state_dict["validated"]
        self.latest_value = state_dict["latest_value"]
