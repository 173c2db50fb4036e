"""Lightning's loggers, whose files hold no secret among the hyperparameters that a module saves."""

from argparse import Namespace
from typing import Any

from lightning_hpo.flavour import pl
from lightning_hpo.output.masking import redacted

Hyperparameters = dict[str, Any] | Namespace


class MaskedTensorBoardLogger(pl.loggers.TensorBoardLogger):
    """Writes event files and ``hparams.yaml``."""

    def log_hyperparams(
        self,
        params: Hyperparameters,
        metrics: dict[str, Any] | None = None,
        step: int | None = None,
    ) -> None:
        super().log_hyperparams(_masked(params), metrics, step)


class MaskedCSVLogger(pl.loggers.CSVLogger):
    """Writes ``metrics.csv`` and ``hparams.yaml``."""

    def log_hyperparams(self, params: Hyperparameters | None = None) -> None:
        super().log_hyperparams(None if params is None else _masked(params))


def _masked(params: Hyperparameters) -> dict[str, Any]:
    masked: dict[str, Any] = redacted(params if isinstance(params, dict) else vars(params))
    return masked
