"""Live figures of a regressor in training: ``callbacks=[predictions]``."""

from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.callbacks.figures import FigureCallback, epochs_trained
from lightning_hpo.callbacks.samples import as_validation, data_of, first_loader
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.predictions import grid_over, is_regression, predict, true_line
from lightning_hpo.explain.regression import values_of
from lightning_hpo.explain.seen import seen_in
from lightning_hpo.flavour import pl
from lightning_hpo.plots.regression import Line, Samples


class Predictions(FigureCallback):
    """A regressor's curve over its input, if it has one input, and predicted against true values.

    An epoch of a small regressor takes milliseconds, hence the rare default.
    """

    def __init__(self, *, every_n_epochs: int | None = 500, at_end: bool = True) -> None:
        super().__init__(every_n_epochs=every_n_epochs, at_end=at_end)

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        data = data_of(trainer)
        # Of other data only their batches tell.
        if isinstance(data, TensorDataModule) and not is_regression(data):
            raise UserError(
                "predictions need rows with real-valued targets, got"
                f" {type(data).__name__}; leave predictions out of callbacks, or use"
                " confusion_matrix for classes."
            )

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        data = data_of(trainer)
        if not is_regression(data):
            return self._of_loader(trainer, pl_module)
        splits = {stage: data.raw(stage) for stage in ("train", "val") if len(data.raw(stage)[1])}
        predicted = {stage: predict(pl_module, data, x) for stage, (x, _) in splits.items()}
        found = {
            "predicted_against_true": plots.predicted_against_true(
                **{stage: Samples(y, predicted[stage]) for stage, (_, y) in splits.items()},
                target_name=told.target_name(data),
                title=f"Predicted against true values, after {epochs_trained(trainer)}",
            )
        }
        if data.input_shape == (1,):
            found["fit"] = self._fit(trainer, pl_module, splits)
        return found

    def _of_loader(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        name, loader = first_loader(trainer)
        with as_validation(trainer):
            samples = values_of(seen_in(pl_module, data_of(trainer), loader))
        figure = plots.predicted_against_true(
            **{"val" if name.startswith("val") else "train": samples},
            target_name=told.target_name(data_of(trainer)),
            title=f"Predicted against true values, after {epochs_trained(trainer)}",
        )
        return {"predicted_against_true": figure}

    def _fit(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        splits: dict[str, tuple[Tensor, Tensor]],
    ) -> Figure:
        data = data_of(trainer)
        grid_g1 = grid_over(*(x for x, _ in splits.values()))
        x_g = grid_g1[:, 0].numpy()
        samples = {stage: Samples(x[:, 0], y) for stage, (x, y) in splits.items()}
        return plots.fitted_curve(
            Line(x_g, predict(pl_module, data, grid_g1)),
            train=samples["train"],
            val=samples.get("val"),
            true=true_line(data, x_g),
            names=told.names(data),
            called="network",
            title=f"Predictions after {epochs_trained(trainer)}",
        )
