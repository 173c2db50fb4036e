"""What the final model sees and where it errs, as figures in ``final/figures`` and TensorBoard.

Here results become arguments of the pure functions in :mod:`lightning_hpo.plots` and
:mod:`lightning_hpo.explain.attribution`. Works for any module and data: a first batch of the test
shows whether samples have classes or numbers (:mod:`lightning_hpo.explain.seen`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.data.told import noise_variance
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attempts import Attempt, failure
from lightning_hpo.explain.attribution import AttributionMethod
from lightning_hpo.explain.classification import Classified, Predicted, augmented_samples
from lightning_hpo.explain.curves import holdout_curves, learning_curves
from lightning_hpo.explain.predictions import is_regression
from lightning_hpo.explain.regression import foreign_figures, regression_figures
from lightning_hpo.explain.reliability import reliability_figure
from lightning_hpo.explain.seen import seen_in
from lightning_hpo.explain.weights import filter_figures, layer_weights, weight_histograms
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.folder import FinalFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """The files of the figures, and of those that could not be drawn the reason, by name."""

    paths: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def attempt(self, what: str, draw: Callable[[], object]) -> None:
        reason = failure(draw)
        if reason is not None:
            self.left_out[what] = reason
            log.warning(f"figure {what} is left out: {reason}")


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
    test data may be looked at. ``methods``: attribution methods to draw beside Grad-CAM. Raises
    nothing that the model, the data or a figure raise, and leaves the random state as it was.
    """
    drawn = Drawn()
    folder = FinalFolder(final_dir).figures
    boards = [logger for logger in loggers if isinstance(logger, pl.loggers.TensorBoardLogger)]

    def keep(draw: Callable[[], Mapping[str, Figure]]) -> None:
        for name, figure in draw().items():
            path = folder / f"{name}.png"
            pixels_hwc = plots.save_png(figure, path)
            drawn.paths.append(path)
            for board in boards:
                board.experiment.add_image(name, pixels_hwc, dataformats="HWC")

    def draw_all() -> None:
        attempts = _attempts(module, data, final_dir, untrained or {}, methods, tested=tested)
        for what, draw in attempts:
            drawn.attempt(what, partial(keep, draw))

    with pl.utilities.seed.isolate_rng():
        drawn.attempt("figures", draw_all)
    return drawn


def _attempts(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    untrained: Mapping[str, Tensor],
    methods: Iterable[AttributionMethod],
    *,
    tested: bool,
) -> Iterator[Attempt]:

    def of_training(curves: Callable[..., dict[str, Figure]]) -> dict[str, Figure]:
        return curves(final_dir, noise_floor=noise_variance(data))

    yield "learning_curves", lambda: of_training(learning_curves)
    yield "learning_curves_holdout", lambda: of_training(holdout_curves)
    yield "reliability", lambda: reliability_figure(FinalFolder(final_dir))
    yield "augmented_samples", lambda: augmented_samples(data)
    yield "filters", lambda: filter_figures(module)
    yield "weight_histograms", lambda: weight_histograms(untrained, layer_weights(module))
    if tested and is_regression(data):
        for name, draw in regression_figures(module, data, final_dir).items():
            yield name, partial(_alone, name, draw)
    elif tested:
        found: list[Attempt] = []
        # One reason for all where the test samples cannot be read or are of another kind.
        yield "test_samples", lambda: _of_test(module, data, tuple(methods), found)
        yield from found


def _of_test(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    methods: Sequence[AttributionMethod],
    found: list[Attempt],
) -> dict[str, Figure]:
    """Adds to ``found`` what is to be drawn of the test samples, by the kind of the first batch."""
    batches = seen_in(module, data, data.test_dataloader())
    first = next(batches, None)
    if first is None:
        raise UserError("the test loader gives no batch.")
    of_test = chain([first], batches)
    if first.task == "classes":
        found += Classified(module, data, Predicted.of(of_test), methods).attempts()
    else:
        figures = foreign_figures(module, data, of_test)
        found += [(name, partial(_alone, name, draw)) for name, draw in figures.items()]
    return {}


def _alone(name: str, draw: Callable[[], Figure]) -> dict[str, Figure]:
    return {name: draw()}
