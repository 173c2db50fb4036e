"""Lightning's loggers as a study uses them: no secret in what they keep, and one run for each fit.

Those of Weights & Biases and MLflow keep a run open until it is finished, which Lightning leaves to
the end of the process: here a fit ends its own, so that the next one in the same process begins
another.
"""

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import optuna

from lightning_hpo.composition import mlflow_files
from lightning_hpo.errors import UserError, missing_package, one_line
from lightning_hpo.flavour import pl
from lightning_hpo.output.masking import redacted

Hyperparameters = dict[str, Any] | Namespace
State = Literal["complete", "pruned", "failed"]

# Those of TensorBoard and CSV, which number their folders unless they are told a version.
WRITES_FILES = pl.loggers.TensorBoardLogger | pl.loggers.CSVLogger

_MLFLOW_WORDS: Mapping[State, str] = {
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
}


class MaskedTensorBoardLogger(pl.loggers.TensorBoardLogger):
    """Writes event files and ``hparams.yaml``; the arguments are Lightning's."""

    def log_hyperparams(
        self,
        params: Hyperparameters,
        metrics: dict[str, Any] | None = None,
        step: int | None = None,
    ) -> None:
        super().log_hyperparams(_masked(params), metrics, step)


class MaskedCSVLogger(pl.loggers.CSVLogger):
    """Writes ``metrics.csv`` and ``hparams.yaml``; the arguments are Lightning's."""

    def log_hyperparams(self, params: Hyperparameters | None = None) -> None:
        super().log_hyperparams(None if params is None else _masked(params))


class MaskedWandbLogger(pl.loggers.WandbLogger):
    """One run of Weights & Biases.

    Args:
        **arguments: Lightning's and those of ``wandb.init``.

    Raises:
        UserError: where wandb is not installed.
    """

    def __init__(self, **arguments: Any) -> None:
        with _named_package("wandb", "wandb"):
            super().__init__(**arguments)

    def log_hyperparams(self, params: Hyperparameters) -> None:
        super().log_hyperparams(_masked(params))

    @staticmethod
    def check_access() -> None:
        """Raise :class:`UserError` where nobody is logged in and runs are to be sent."""
        import wandb

        settings = wandb.setup().settings
        if settings.mode in ("offline", "disabled", "dryrun"):
            return
        try:
            known = wandb.login(prompt=False)
        except wandb.Error as error:
            raise UserError(f"logger=wandb must reach its server, but: {one_line(error)}") from None
        if not known:
            raise UserError(
                "logger=wandb needs a login; run `wandb login`, or keep its runs on this machine"
                " with WANDB_MODE=offline."
            )


class MaskedMLFlowLogger(pl.loggers.MLFlowLogger):
    """One run of MLflow.

    Args:
        tracking_uri: a server or a database; None: files in ``save_dir``.
        save_dir: the folder of these files.
        **arguments: Lightning's others.

    Raises:
        UserError: where MLflow is not installed.
    """

    def __init__(
        self, *, tracking_uri: str | None = None, save_dir: str = "./mlruns", **arguments: Any
    ) -> None:
        place = mlflow_files.tracking_uri(tracking_uri, save_dir)
        with _named_package("mlflow", "mlflow-skinny"):
            super().__init__(tracking_uri=place, save_dir=save_dir, **arguments)

    def log_hyperparams(self, params: Hyperparameters) -> None:
        super().log_hyperparams(mlflow_files.with_safe_names(_masked(params)))

    def check_access(self) -> None:
        """Make the experiment, once for all fits, which would race for it."""
        from mlflow.exceptions import MlflowException

        client, name = self._mlflow_client, self._experiment_name
        try:
            if client.get_experiment_by_name(name) is None:
                client.create_experiment(name, artifact_location=self._artifact_location)
        except MlflowException as error:
            raise UserError(f"logger=mlflow must reach its store, but: {one_line(error)}") from None


@contextmanager
def finishing(loggers: Iterable[pl.loggers.Logger]) -> Iterator[None]:
    """End the runs of ``loggers`` with a fit, whichever way it ends."""
    loggers = list(loggers)
    with mlflow_files.place_kept():
        try:
            yield
        except BaseException as error:
            _finish(loggers, "pruned" if isinstance(error, optuna.TrialPruned) else "failed")
            raise
        _finish(loggers, "complete")


def _finish(loggers: Iterable[pl.loggers.Logger], state: State) -> None:
    for logger in loggers:
        if isinstance(logger, pl.loggers.WandbLogger):
            _finish_wandb(logger, state)
        elif isinstance(logger, pl.loggers.MLFlowLogger) and logger._initialized:
            client, run = logger.experiment, logger.run_id
            client.set_tag(run, "state", state)
            client.set_terminated(run, _MLFLOW_WORDS[state])


def _finish_wandb(logger: pl.loggers.WandbLogger, state: State) -> None:
    # Asking for the run would begin one where the fit ended before it.
    if logger._experiment is None:
        return
    run: Any = logger.experiment
    run.summary["state"] = state
    run.finish(exit_code=1 if state == "failed" else 0)


def is_a_tracker(logger: pl.loggers.Logger) -> bool:
    """Whether this is not of TensorBoard or CSV, whose files show searched values otherwise."""
    return not isinstance(logger, WRITES_FILES)


@contextmanager
def _named_package(module: str, package: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError:
        raise missing_package(f"logger={module}", package) from None


def _masked(params: Hyperparameters) -> dict[str, Any]:
    masked: dict[str, Any] = redacted(params if isinstance(params, dict) else vars(params))
    return masked
