"""What the final model sees and where it errs, as figures in ``final/figures`` and TensorBoard.

Here results become arguments of the pure functions in :mod:`lightning_hpo.plots` and
:mod:`lightning_hpo.explain.attribution`; works for any classifier that maps images to logits, and
any regressor that maps rows to numbers (:mod:`lightning_hpo.explain.regression`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.data.told import noise_variance, num_classes
from lightning_hpo.errors import with_type
from lightning_hpo.explain.attempts import Attempt
from lightning_hpo.explain.attribution import AttributionMethod
from lightning_hpo.explain.classification import Classified, augmented_samples
from lightning_hpo.explain.curves import holdout_curves, learning_curves
from lightning_hpo.explain.predictions import is_regression
from lightning_hpo.explain.regression import regression_figures
from lightning_hpo.explain.weights import filter_figures, layer_weights, weight_histograms
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.folder import FinalFolder

log = logging.getLogger(__name__)

_LONGEST_REASON = 200  # characters


@dataclass(frozen=True)
class Drawn:
    """The files of the figures, and of those that could not be drawn the reason, by name."""

    paths: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def explain(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    loggers: Iterable[pl.loggers.Logger],
    *,
    untrained: Mapping[str, Tensor] | None = None,
    tested: bool = True,
    methods: Iterable[AttributionMethod] = (),
) -> Drawn:
    """Draw every figure that applies to this model and these data; one that fails is left out.

    ``untrained``: the ``layer_weights`` of the module before its training. ``tested``: whether the
    test data may be looked at. ``methods``: attribution methods to draw beside Grad-CAM.
    """
    drawn = Drawn()
    folder = FinalFolder(final_dir).figures
    folder.mkdir(exist_ok=True)
    boards = [logger for logger in loggers if isinstance(logger, pl.loggers.TensorBoardLogger)]
    attempts = _attempts(module, data, final_dir, untrained or {}, methods, tested=tested)
    for what, draw in attempts:
        # Figures run the user's own network on the user's own data, and cost no result.
        try:
            for name, figure in draw().items():
                drawn.paths.append(plots.save_png(figure, folder / f"{name}.png"))
                for board in boards:
                    board.experiment.add_figure(name, figure, close=False)
        except Exception as error:
            drawn.left_out[what] = why(error)
            log.warning(f"figure {what} is left out: {drawn.left_out[what]}")
    return drawn


def why(error: Exception) -> str:
    """An error in one short line."""
    return with_type(error)[:_LONGEST_REASON]


def _attempts(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    untrained: Mapping[str, Tensor],
    methods: Iterable[AttributionMethod],
    *,
    tested: bool,
) -> Iterator[Attempt]:
    floor = noise_variance(data)
    yield "learning_curves", lambda: learning_curves(final_dir, noise_floor=floor)
    yield "learning_curves_holdout", lambda: holdout_curves(final_dir, noise_floor=floor)
    if num_classes(data) and tested:
        yield from Classified(module, data, tuple(methods)).attempts()
    yield "augmented_samples", lambda: augmented_samples(data)
    if is_regression(data) and tested:
        for name, draw in regression_figures(module, data, final_dir).items():
            yield name, partial(_alone, name, draw)
    yield "filters", lambda: filter_figures(module)
    yield "weight_histograms", lambda: weight_histograms(untrained, layer_weights(module))


def _alone(name: str, draw: Callable[[], Figure]) -> dict[str, Figure]:
    return {name: draw()}
