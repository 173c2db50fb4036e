"""The fully connected regressor of the reference study: any number of hidden layers."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lightning_hpo.models.base import OptimizerFactory, SchedulerFactory
from lightning_hpo.models.dense import dense_layers, hidden_widths, plain_neurons, row_shape
from lightning_hpo.models.init import Scheme, initialise
from lightning_hpo.models.regression import BaseRegressor


class MLPRegressor(BaseRegressor):
    """Per hidden layer (linear, ReLU, dropout), then one output.

    Rows (N, I) float -> predictions (N,) float, in the units of the target. ``widths`` are the
    hidden widths in use, ``network`` is the whole network.

    Args:
        input_shape: (I,), the number of inputs, at least 1.
        neurons: widths of the hidden layers, each at least 1, as a sequence or as a mapping whose
            values stand in their order ({layer_1: 64, layer_2: 64}: each width is a key that can
            be searched).
        depth: take the first so many of them, from 1 to all, so that the number of layers can be
            searched too; None: all.
        dropout: share of the hidden units that a training step drops, in [0, 1).
        init: how weights are drawn: "kaiming", "xavier" or "default" (PyTorch's own).
        optimizer, scheduler: as in ``BaseRegressor``.

    Raises :class:`UserError` for an argument outside its range.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int] = (1,),
        neurons: Sequence[int] | Mapping[str, int] = (64, 64),
        depth: int | None = None,
        dropout: float = 0.0,
        init: Scheme = "kaiming",
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
    ) -> None:
        # Rebound, so that checkpoints hold plain values.
        input_shape = row_shape(input_shape)
        neurons = plain_neurons(neurons)
        super().__init__(optimizer=optimizer, scheduler=scheduler)
        self.widths = hidden_widths(neurons, depth)
        self.dropout = dropout
        self.network = dense_layers(input_shape[0], self.widths, dropout=dropout)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions (N,) of rows (N, I)."""
        predictions: Tensor = self.network(x)
        return predictions.squeeze(1)

    @property
    def last_hidden(self) -> str:
        """The dotted name of the last hidden layer's ReLU, for hooks."""
        relus = [n for n, layer in self.named_modules() if isinstance(layer, nn.ReLU)]
        return relus[-1]
