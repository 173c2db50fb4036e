"""When a fit draws and where its figures go: what the inspecting callbacks share.

Figures go to TensorBoard and to ``figures/`` in the fit's folder: ``grad_cam_epoch_010.png`` while
it trains, ``grad_cam.png`` at its end.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attempts import failure
from lightning_hpo.explain.attribution import evaluating
from lightning_hpo.flavour import pl
from lightning_hpo.plots import rendered

log = logging.getLogger(__name__)

_DPI = 100  # figures are 8 inches wide at most


class FigureCallback(pl.Callback):
    """Draws while a network trains, and at the end of its fit.

    A subclass defines ``figures``, and ``check`` for what it needs. Draws after an epoch's
    validation, never in the sanity check, and only in the first process. The network is in eval
    mode then; modes and random state are restored, so a fit gives the same bits with and without.
    What fails while the network trains is one line in the log.
    With weight averaging, list that first: the figures of the end then show the averaged network.

    Args:
        every_n_epochs: draw after each so many epochs, at least 1; None: at the end alone.
        at_end: draw at the end of the fit too.

    Raises:
        UserError: for an argument outside its range, and at the start of a fit whose network or
            data have nothing to draw.
    """

    def __init__(self, *, every_n_epochs: int | None = 10, at_end: bool = True) -> None:
        if every_n_epochs is not None and every_n_epochs < 1:
            raise UserError(
                f"every_n_epochs must be at least 1, got every_n_epochs={every_n_epochs}; "
                "use null to draw at the end alone."
            )
        self.every_n_epochs = every_n_epochs
        self.at_end = at_end

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Raise :class:`UserError` when this model or these data have nothing to draw."""

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        """The figures of this moment, by their names."""
        raise NotImplementedError

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epochs = trainer.current_epoch + 1
        ends = trainer.should_stop or epochs == trainer.max_epochs
        if self.every_n_epochs and epochs % self.every_n_epochs == 0 and not (self.at_end and ends):
            self._attempt(trainer, lambda: self.at_epoch(trainer, pl_module, epochs))

    def at_epoch(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epochs: int) -> None:
        """What happens after every ``every_n_epochs`` epochs; ``epochs`` are trained by now."""
        self._draw(trainer, pl_module, suffix=f"_epoch_{epochs:03d}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.at_end:
            self._attempt(trainer, lambda: self._draw(trainer, pl_module, suffix=""))

    def _attempt(self, trainer: pl.Trainer, draw: Callable[[], None]) -> None:
        """What fails costs no fit: the network is the user's own."""
        if not trainer.is_global_zero:
            return
        # A loader of the user's own may draw from NumPy's and Python's random state too.
        with pl.utilities.seed.isolate_rng():
            reason = failure(draw)
        if reason is not None:
            log.warning(f"figures of {type(self).__name__} are left out: {reason}")

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, suffix: str) -> None:
        with evaluating(pl_module):
            figures = self.figures(trainer, pl_module)
        folder = figures_dir(trainer)
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            pixels = rendered(figure, dpi=_DPI)
            Image.fromarray(pixels).save(folder / f"{name}{suffix}.png")
            for writer in tensorboards(trainer):
                writer.add_image(name, pixels, trainer.global_step, dataformats="HWC")


def figures_dir(trainer: pl.Trainer) -> Path:
    """``figures`` where the first logger writes, but in the Trainer's root folder if one does."""
    root = Path(trainer.default_root_dir)
    folders = [getattr(logger, "log_dir", None) for logger in trainer.loggers]
    written = [Path(folder) for folder in folders if folder]
    return (root if root in written or not written else written[0]) / "figures"


def epochs_trained(trainer: pl.Trainer) -> str:
    """As words, at the end of an epoch and at the end of training."""
    # Only ``current_epoch`` counts differently in the two hooks.
    n = trainer.fit_loop.epoch_progress.current.ready
    return "1 epoch" if n == 1 else f"{n:,} epochs"


def tensorboards(trainer: pl.Trainer) -> Iterator[SummaryWriter]:
    """The writers of the Trainer's TensorBoard loggers."""
    for logger in trainer.loggers:
        if isinstance(logger, pl.loggers.TensorBoardLogger):
            yield logger.experiment
