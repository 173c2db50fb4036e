"""Live figures of a regressor in training: ``callbacks=[predictions]``."""

from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.callbacks.figures import FigureCallback, epochs_trained
from lightning_hpo.callbacks.samples import data_of
from lightning_hpo.data import told
from lightning_hpo.errors import UserError
from lightning_hpo.explain.predictions import grid_over, is_regression, predict, true_line
from lightning_hpo.flavour import pl
from lightning_hpo.plots.regression import Line, Samples


class Predictions(FigureCallback):
    """A regressor's curve over its input, if it has one input, and predicted against true values.

    An epoch of a small regressor takes milliseconds, hence the rare default.
    """

    def __init__(self, *, every_n_epochs: int | None = 500, at_end: bool = True) -> None:
        super().__init__(every_n_epochs=every_n_epochs, at_end=at_end)

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not is_regression(data_of(trainer)):
            raise UserError(
                "predictions need a TensorDataModule of rows with real-valued targets, got"
                f" {type(data_of(trainer)).__name__}; leave predictions out of callbacks, or use"
                " confusion_matrix for classes."
            )

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        data = data_of(trainer)
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
